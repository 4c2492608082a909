// A process may die at any instant, and several may share one store.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "fakes/temp_dir.h"
#include "kw/core/random.h"
#include "kw/store/store.h"

extern char** environ;

namespace kw::store {
namespace {

/// A child that appends; what it wrote to stdout is read from `out`.
struct Child {
  pid_t pid = -1;
  int out = -1;
};

Child start(const std::filesystem::path& store, const std::string& key) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
  std::string program = KW_CRASH_CHILD, path = store, name = key;
  char* const argv[] = {program.data(), path.data(), name.data(), nullptr};
  Child child;
  if (::posix_spawn(&child.pid, KW_CRASH_CHILD, &actions, nullptr, argv, environ) != 0) child = {};
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe_ends[1]);
  child.out = pipe_ends[0];
  return child;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return text;
}

/// Kills the child; the last sequence number it had been told was written.
std::uint64_t kill_and_read(Child child) {
  ::kill(child.pid, SIGKILL);
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, status " << status;
  std::string text = read_all(child.out);
  text.erase(text.find_last_of('\n') == std::string::npos ? 0 : text.find_last_of('\n'));
  const std::size_t begin = text.find_last_of('\n');
  if (text.empty()) return 0;
  return std::stoull(begin == std::string::npos ? text : text.substr(begin + 1));
}

/// Until the child has told of its first append.
void wait_for_progress(const Child& child) {
  pollfd readable{child.out, POLLIN, 0};
  EXPECT_EQ(::poll(&readable, 1, 30'000), 1) << "the child does not get going";
}

std::string sum_in(const std::string& payload) {
  const std::size_t at = payload.find("\"sum\":\"");
  return at == std::string::npos ? "" : payload.substr(at + 7, 64);
}

/// Every append of the job is there in full: two events and one effect each.
void expect_whole(Store& store, const std::string& key, std::uint64_t acknowledged) {
  NewJob job;
  job.idempotency_key = key;
  job.kind = "crash";
  job.spec = "{}";
  const Job found = store.create_job(job).value().job;
  EXPECT_GE(found.last_seq, acknowledged);
  EXPECT_EQ(found.last_seq % 2, 0u);
  const std::vector<Event> events = store.events(found.id, 0, 1'000'000).value();
  ASSERT_EQ(events.size(), found.last_seq);
  for (std::size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].seq, i + 1);
    ASSERT_EQ(events[i].type, i % 2 == 0 ? "first" : "second");
    ASSERT_EQ(sum_in(events[i].payload).size(), 64u);
    ASSERT_TRUE(events[i].payload.ends_with("\"}"));
  }
  EffectFilter filter;
  filter.job = found.id;
  filter.limit = 1'000'000;
  const std::vector<Effect> effects = store.effects(filter).value();
  ASSERT_EQ(effects.size(), events.size() / 2);
  for (std::size_t i = 0; i < effects.size(); ++i) {
    ASSERT_EQ(effects[i].id, effect_id(found.id, 2 * (i + 1), 0));
  }
}

void sleep_for_us(std::uint64_t us) { std::this_thread::sleep_for(std::chrono::microseconds(us)); }

TEST(Crash, LeavesNoEventHalfWrittenWhenAWriterIsKilled) {
  fakes::TempDir directory;
  RandomStream random(1, purpose("tests.store.crash"));
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    const Child child = start(directory / "store.db", "one");
    ASSERT_GT(child.pid, 0);
    if (round % 4 == 3) wait_for_progress(child);
    sleep_for_us(2'000 + random.below(40'000));  // sometimes while the store is being made
    acknowledged = std::max(acknowledged, kill_and_read(child));
    const auto store = Store::open(directory / "store.db");
    ASSERT_TRUE(store.has_value()) << store.error().message;
    expect_whole(**store, "one", acknowledged);
  }
  EXPECT_GT(acknowledged, 0u);
}

TEST(Crash, LetsOtherProcessesGoOnWhenOneOfThemIsKilled) {
  fakes::TempDir directory;
  const auto path = directory / "store.db";
  const Child a = start(path, "a"), b = start(path, "b");  // both create the store
  ASSERT_GT(std::min(a.pid, b.pid), 0);
  wait_for_progress(a);
  wait_for_progress(b);
  const std::uint64_t of_a = kill_and_read(a);
  sleep_for_us(50'000);
  const std::uint64_t of_b = kill_and_read(b);
  EXPECT_GT(of_a, 0u);
  EXPECT_GT(of_b, 0u);
  const auto store = Store::open(path).value();
  expect_whole(*store, "a", of_a);
  expect_whole(*store, "b", of_b);
}

TEST(Processes, SeeEachOthersWritesAndWakeForThem) {
  fakes::TempDir directory;
  const auto here = Store::open(directory / "store.db").value();
  const auto there = Store::open(directory / "store.db").value();
  const std::uint64_t seen = here->wait_for_change(0, std::chrono::seconds(5)).value();
  std::jthread writer([&] {
    sleep_for_us(20'000);
    EXPECT_TRUE(there->put_blob("x").has_value());
  });
  EXPECT_NE(here->wait_for_change(seen, std::chrono::seconds(20)).value(), seen);
  EXPECT_EQ(here->stats().value().blobs, 1);
}

}  // namespace
}  // namespace kw::store

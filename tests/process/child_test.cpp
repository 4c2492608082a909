#include "kw/process/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace {

using namespace kw::process;
using namespace std::chrono_literals;
using kw::Errc;

/// PIDs of processes whose command line ends in `role`, zombies not counted.
std::vector<pid_t> running(const std::string& role) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.ends_with("__role" + std::string(1, '\0') + role + std::string(1, '\0'))) {
      found.push_back(std::stoi(name));
    }
  }
  return found;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class EveryTree : public testing::TestWithParam<Tree> {
 protected:
  static ChildOptions options() {
    ChildOptions out;
    out.tree = GetParam();
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Child, EveryTree, testing::Values(Tree::Namespace, Tree::Walk),
                         [](const auto& tree) {
                           return tree.param == Tree::Namespace ? "Namespace" : "Walk";
                         });

TEST_P(EveryTree, AnswersAndLeavesNoDescriptorBehind) {
  { auto warm_up = Child::spawn_role("echo", options()).value(); }
  const std::size_t before = open_descriptors();
  {
    auto child = Child::spawn_role("echo", options()).value();
    ASSERT_TRUE(child.channel().send(5, "hello"));
    EXPECT_EQ(child.channel().receive(Wait::within(5s)).value().body, "hello");
    EXPECT_GT(child.resident_bytes(), 0u);
    child.channel().close();
    const Exit exit = child.wait(Wait::within(5s)).value();
    EXPECT_EQ(exit.code, 0);
    EXPECT_EQ(exit.signal, 0);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(EveryTree, KillsGrandchildrenInSessionsOfTheirOwn) {
  auto child = Child::spawn_role("breed", options()).value();
  ASSERT_TRUE(child.channel().receive(Wait::within(5s)));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(child.kill().signal, SIGKILL);
  // Orphans of a killed subreaper are reaped by init; give that a moment.
  while (!running("breed").empty() && std::chrono::steady_clock::now() - start < 1s) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(running("breed").empty());
}

TEST_P(EveryTree, TakesDownWhatAFinishedChildLeftBehind) {
  auto child = Child::spawn_role("orphan", options()).value();
  ASSERT_TRUE(child.channel().receive(Wait::within(5s)));
  EXPECT_EQ(child.wait(Wait::within(5s)).value().code, 0);
  const auto start = std::chrono::steady_clock::now();
  while (!running("orphan").empty() && std::chrono::steady_clock::now() - start < 1s) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(running("orphan").empty());
}

TEST_P(EveryTree, IsCancelledAtOnceThoughItSpinsAndIgnoresSigterm) {
  auto child = Child::spawn_role("spin", options()).value();
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(30ms);
    stop.request_stop();
  });
  EXPECT_EQ(child.channel().receive({Deadline::max(), stop.get_token()}).error().code,
            Errc::Cancelled);
  const auto start = std::chrono::steady_clock::now();
  child.kill();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1s);
}

TEST(Child, GetsOnlyTheEnvironmentAndDescriptorsItIsGiven) {
  const Fd leaky(::open("/dev/null", O_RDONLY));  // not close-on-exec
  ::setenv("KW_TEST_PASSED_ON", "yes", 1);
  ChildOptions options;
  options.environment = {"A=b"};
  options.inherit = {"KW_TEST_PASSED_ON", "KW_TEST_NOT_THERE"};
  auto child = Child::spawn_role("report", options).value();
  EXPECT_EQ(child.channel().receive(Wait::within(5s)).value().body,
            "A=b;KW_TEST_PASSED_ON=yes;KW_ROLE=report;|");
  EXPECT_EQ(child.wait(Wait::within(5s)).value().code, 7);
}

TEST(Child, CannotMapMoreThanItsAddressSpace) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need terabytes of address space";
#endif
  ChildOptions options;
  options.limits.address_space_bytes = std::uint64_t{1} << 30;
  auto child = Child::spawn_role("grab", options).value();
  EXPECT_EQ(child.channel().receive(Wait::within(5s)).value().body, "refused");
}

TEST(Child, OnceConfinedOpensNothingAndStartsNothing) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizer run-times open files of their own";
#endif
  auto child = Child::spawn_role("confined").value();
  EXPECT_EQ(child.channel().receive(Wait::within(5s)).value().body,
            "no open,no socket,no fork,threads");
}

TEST(Child, InARoleCannotStartRoles) {
  auto child = Child::spawn_role("nested").value();
  EXPECT_NE(child.channel().receive(Wait::within(5s)).value().body.find("may not start"),
            std::string::npos);
}

TEST(Child, ThatSendsGarbageIsAnError) {
  auto child = Child::spawn_role("garbage").value();
  EXPECT_EQ(child.channel().receive(Wait::within(5s)).error().code, Errc::Corrupt);
}

TEST(Child, ThatCannotStartSaysWhy) {
  EXPECT_NE(Child::spawn_program("/no/such/program", {}).error().message.find("No such file"),
            std::string::npos);
  EXPECT_EQ(Child::spawn_role("no-such-role").error().code, Errc::Unavailable);
}

TEST(Child, SurvivesTheThreadThatSpawnedIt) {
  std::optional<Child> child;
  std::thread([&] { child = Child::spawn_role("echo").value(); }).join();
  std::this_thread::sleep_for(20ms);
  ASSERT_TRUE(child->channel().send(1, "still here"));
  EXPECT_EQ(child->channel().receive(Wait::within(5s)).value().body, "still here");
}

TEST(Child, ManyAtOnceFromManyThreads) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([i] {
      auto child = Child::spawn_role("echo").value();
      ASSERT_TRUE(child.channel().send(1, std::to_string(i)));
      EXPECT_EQ(child.channel().receive(Wait::within(20s)).value().body, std::to_string(i));
    });
  }
}

}  // namespace

#include "serve_harness.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "fakes/temp_dir.h"
#include "kw/core/random.h"
#include "kw/store/store.h"
#include "service.h"

namespace kw::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* kTasks[] = {"1/1",  "1/4",  "1/5",   "1/12", "1/16", "1/19", "1/22",
                                  "1/23", "1/25", "1/26",  "1/36", "1/40", "1/47", "1/48",
                                  "1/88", "1/94", "1/100", "2/12", "2/76", "2/99"};

/// What one client, that keeps what it saw over all reconnections, saw of its job.
struct Watch {
  std::string job;
  std::uint64_t last = 0;
  int out_of_order = 0;  // ids that were not the next one
  int finished = 0;      // "finished" events
  int ends = 0;          // "end" notices
};

/// Submits until there is an answer, then watches until the job is over.
void be_client(const Service& service, int n, std::stop_token stop, Watch& watch) {
  const std::string task = kTasks[static_cast<std::size_t>(n) % std::size(kTasks)];
  const std::string body = Json{{"v", 1}, {"task", "kernelbench:" + task}, {"budget_s", 60}}.dump();
  while (watch.job.empty() && !stop.stop_requested()) {
    const HttpAnswer answer =
        service.post("/v1/jobs", body, {"Idempotency-Key: client-" + std::to_string(n)});
    if (answer.status == 202) {
      watch.job = Json::parse(answer.body)["jobs"][0]["id"].get<std::string>();
    } else {
      ASSERT_EQ(answer.status, 0) << answer.body;  // the daemon is down
      std::this_thread::sleep_for(20ms);
    }
  }
  while (watch.ends == 0 && !stop.stop_requested()) {
    service.stream("/v1/jobs/" + watch.job + "/events", watch.last, [&](const StreamEvent& event) {
      if (event.type == "end") {
        ++watch.ends;
        return false;
      }
      if (event.id != watch.last + 1) ++watch.out_of_order;
      watch.last = event.id;
      watch.finished += event.type == "finished";
      return !stop.stop_requested();
    });
    if (watch.ends == 0) std::this_thread::sleep_for(20ms);
  }
}

int unfinished(store::Store& store) {
  store::JobFilter filter;
  filter.states = {store::JobState::Queued, store::JobState::Running};
  const auto jobs = store.jobs(filter);
  return jobs ? static_cast<int>(jobs->size()) : -1;
}

void expect_ended_once(store::Store& store, const std::string& id) {
  const auto job = store.job(id);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->state, store::JobState::Done) << id << " " << job->summary;
  const auto events = store.events(id);
  ASSERT_TRUE(events) << events.error().message;
  std::map<std::string, int> types, steps;
  for (const Event& event : *events) {
    ++types[event.type];
    if (event.type == "proposed" || event.type == "judged") {
      ++steps[Json::parse(event.payload).at("step").get<std::string>()];
    }
  }
  EXPECT_EQ(types["job_created"], 1) << id;
  EXPECT_EQ(types["accepted"], 1) << id;
  EXPECT_EQ(types["finished"], 1) << id;
  for (const auto& [step, times] : steps) EXPECT_EQ(times, 1) << step << " was done again";
}

}  // namespace

ServeRun serve_and_kill(std::uint64_t seed, int jobs, int kills, std::chrono::milliseconds life) {
  ServeRun out;
  RandomStream random(seed, purpose("test.serve"));
  const fakes::TempDir dir;
  const std::string path = dir / "s.sqlite";
  Service service(path);
  EXPECT_TRUE(service.start());
  const auto store = store::Store::open(path);
  EXPECT_TRUE(store) << store.error().message;
  if (!store || ::testing::Test::HasFailure()) return out;

  std::vector<Watch> watches(static_cast<std::size_t>(jobs));
  std::atomic<int> watching = jobs;
  std::vector<std::jthread> clients;
  for (int i = 0; i < jobs; ++i) {
    clients.emplace_back([&, i](std::stop_token stop) {
      be_client(service, i, std::move(stop), watches[static_cast<std::size_t>(i)]);
      --watching;
    });
  }
  for (int i = 0; i < kills; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(
        static_cast<std::int64_t>(random.uniform() * static_cast<double>(life.count()))));
    service.kill();
    out.struck += unfinished(**store) > 0;
    EXPECT_TRUE(service.start());
  }
  const auto restarted = Clock::now();
  while (watching > 0 && Clock::now() < restarted + 100s) std::this_thread::sleep_for(20ms);
  out.settled = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - restarted);
  EXPECT_EQ(watching, 0) << "seed " << seed << ": jobs wait for a further restart";
  for (std::jthread& each : clients) each.request_stop();
  EXPECT_EQ(service.interrupt(), 0);
  clients.clear();

  std::set<std::string> distinct;
  for (const Watch& watch : watches) {
    distinct.insert(watch.job);
    EXPECT_EQ(watch.out_of_order, 0) << watch.job;
    EXPECT_EQ(watch.finished, 1) << watch.job;
    EXPECT_EQ(watch.ends, 1) << watch.job;
    expect_ended_once(**store, watch.job);
  }
  EXPECT_EQ(distinct.size(), watches.size());
  store::JobFilter all;
  all.limit = 1000;
  const auto recorded = (*store)->jobs(all);
  EXPECT_TRUE(recorded && recorded->size() == watches.size()) << "a job was submitted twice";
  return out;
}

}  // namespace kw::e2e

// The program is killed with SIGKILL at uniformly random moments of a job and started again. By the
// endpoint's own log no answered request is sent again; by the store no finished step is repeated;
// replay names the same winner.

#include "kill_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "fakes/scripted_endpoint.h"
#include "fakes/temp_dir.h"
#include "kw/core/random.h"
#include "kw/store/store.h"
#include "program.h"
#include "relu.h"

namespace kw::e2e {
namespace {

using fakes::Reply;
using fakes::ScriptedEndpoint;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using namespace std::chrono_literals;

constexpr int kLanes = 4;
constexpr int kRounds = 2;

/// First rounds are of no use, second ones are: every lane needs both of its rounds.
Reply script(std::size_t, const std::string& body) {
  const bool second = body.find("Answer again") != std::string::npos;
  Reply reply;
  reply.text = second ? good_relu_answer() : wrong_relu_answer();
  reply.delay = 300ms;
  reply.piece = 200;
  reply.piece_delay = 20ms;
  return reply;
}

std::vector<std::string> job(const fakes::TempDir& dir, const ScriptedEndpoint& endpoint) {
  return {"generate",    kReluTask,
          "--device",    "vm",
          "--objective", "best",
          "--store",     (dir / "s.sqlite").string(),
          "--json",      "--no-memory",
          "--templates", "1",
          "--endpoint",  endpoint.url(),
          "--model",     "scripted",
          "--lanes",     std::to_string(kLanes),
          "--rounds",    std::to_string(kRounds)};
}

/// Every step of a job completes at most once, and what was finished before a kill stays as it was.
void expect_no_step_repeated(store::Store& store, const std::string& id) {
  const auto events = store.events(id);
  ASSERT_TRUE(events) << events.error().message;
  std::map<std::string, int> finished;
  for (const Event& event : *events) {
    const Json payload = Json::parse(event.payload);
    const bool completion = event.type == "proposed" || event.type == "judged";
    if (completion) ++finished[payload.at("step").get<std::string>()];
  }
  for (const auto& [step, times] : finished) EXPECT_EQ(times, 1) << step;
}

}  // namespace

void survive(std::uint64_t seed, int kills, std::chrono::milliseconds life, int& struck) {
  RandomStream random(seed, purpose("test.kill"));
  ScriptedEndpoint endpoint(script);
  const fakes::TempDir dir;
  std::vector<Clock::time_point> killed;
  for (int i = 0; i < kills; ++i) {
    Program program(job(dir, endpoint));
    const auto moment = std::chrono::milliseconds(
        static_cast<std::int64_t>(random.uniform() * static_cast<double>(life.count())));
    if (program.wait(moment)) break;  // it ended before
    killed.push_back(Clock::now());
    ++struck;
    program.signal(SIGKILL);
    ASSERT_TRUE(program.wait(10s));
  }
  const Ended ended = run(job(dir, endpoint));
  ASSERT_EQ(ended.code, 0) << "seed " << seed << "\n" << ended.err << ended.out;
  const Json result = Json::parse(ended.out)["results"][0];
  ASSERT_EQ(result["status"], "solved") << ended.out;

  auto store = store::Store::open(dir / "s.sqlite");
  ASSERT_TRUE(store) << store.error().message;
  const std::string id = result["job"].get<std::string>();
  expect_no_step_repeated(**store, id);

  // A kill between the end of the job and its printing makes the next run a job of its own.
  const auto jobs = (*store)->jobs({});
  ASSERT_TRUE(jobs);
  if (jobs->size() > 1) return;

  // The endpoint's log: a body whose answer was written may come again only if the kill struck
  // before the program had it on disk, and the ledger then says that it may have been charged
  // twice.
  const auto log = endpoint.log();
  std::map<std::string, std::vector<const fakes::Received*>> by_body;
  for (const auto& each : log) by_body[each.body].push_back(&each);
  std::int64_t repeated_after_answer = 0;
  for (const auto& [body, sends] : by_body) {
    for (std::size_t i = 0; i + 1 < sends.size(); ++i) {
      if (!sends[i]->answered) continue;
      ++repeated_after_answer;
      const bool in_flight = std::any_of(killed.begin(), killed.end(), [&](Clock::time_point k) {
        return k >= sends[i]->ended - 20ms && k <= sends[i]->ended + 100ms;
      });
      EXPECT_TRUE(in_flight) << "seed " << seed << ": an answered request was sent again";
    }
  }
  const auto spend = (*store)->spend(id);
  ASSERT_TRUE(spend);
  EXPECT_GE(spend->possibly_charged, repeated_after_answer);

  const Ended replayed =
      run({"show", id, "--replay", "--json", "--store", (dir / "s.sqlite").string()});
  ASSERT_EQ(replayed.code, 0) << replayed.out << replayed.err;
  EXPECT_EQ(Json::parse(replayed.out)["winner"], result["winner"]["candidate"]);
}

std::chrono::milliseconds undisturbed() {
  ScriptedEndpoint endpoint(script);
  const fakes::TempDir dir;
  const auto begun = Clock::now();
  const Ended ended = run(job(dir, endpoint));
  EXPECT_EQ(ended.code, 0) << ended.err << ended.out;
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
}

}  // namespace kw::e2e

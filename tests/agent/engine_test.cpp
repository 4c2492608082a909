#include "kw/agent/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "fakes/scripted_steps.h"
#include "fakes/temp_dir.h"
#include "worker_identity.h"

namespace kw::agent {
namespace {

using fakes::passes;
using fakes::proposes;
using fakes::ScriptedSteps;
using fakes::sleep_until_stopped;
using namespace std::chrono_literals;

store::NewJob job_of(JobSpec spec) {
  spec.task_name = "test";
  spec.keys = {"semantic", "shape"};
  spec.device = "vm";
  spec.device_class = "ptxvm";
  spec.memory = false;
  store::NewJob job;
  job.kind = "generate";
  job.task_key = spec.keys.shape;
  job.spec = to_json(spec);
  return job;
}

struct EngineTest : ::testing::Test {
  std::unique_ptr<store::Store> open() {
    auto opened = store::Store::open(dir / "store.sqlite");
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  EngineOptions options() {
    EngineOptions o;
    o.judge_threads = 2;
    o.model_threads = 16;
    o.lease = 2000ms;
    return o;
  }
  fakes::TempDir dir;
};

Result<Input> all_good(const StepContext& context, const StepBody& body, std::stop_token) {
  if (const auto* judge = std::get_if<JudgeStep>(&body)) return passes(context, *judge);
  return proposes(context, ProposerKind::Template, {"a", "b"});
}

TEST_F(EngineTest, RunsAJobToItsWinnerAndRecordsIt) {
  const auto store = open();
  ScriptedSteps steps(all_good);
  Engine engine(*store, steps, system_clock(), options());
  const auto job = engine.submit(job_of({}));
  ASSERT_TRUE(job) << job.error().message;
  const auto state = engine.wait(*job);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->status, JobStatus::Solved);
  EXPECT_EQ(state->winner, "a");
  const auto record = store->job(*job);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, store::JobState::Done);
  EXPECT_THAT(record->summary, ::testing::HasSubstr("\"solved\""));
  const auto replayed = replay(*job, *store->events(*job));
  ASSERT_TRUE(replayed) << replayed.error().message;
  EXPECT_EQ(replayed->winner, "a");
}

TEST_F(EngineTest, StopsTheLosersWithinTwoSecondsOfAnAccept) {
  const auto store = open();
  ScriptedSteps steps(
      [](const StepContext& context, const StepBody& body, std::stop_token stop) -> Result<Input> {
        if (std::holds_alternative<AskStep>(body)) {
          if (sleep_until_stopped(stop, 60s)) return fail(Errc::Cancelled, "stopped");
        }
        if (std::holds_alternative<ProposeStep>(body)) sleep_until_stopped(stop, 300ms);
        return all_good(context, body, stop);
      });
  Engine engine(*store, steps, system_clock(), options());
  JobSpec spec;
  spec.model = ModelSpec{.endpoint = "http://x/v1", .model = "m", .key_env = {}, .lanes = 16};
  const auto job = engine.submit(job_of(spec));
  const auto state = engine.wait(*job);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->winner, "a");
  const auto deadline = std::chrono::steady_clock::now() + 2s;
  while (steps.running > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(steps.running, 0);
}

TEST_F(EngineTest, GoesOnAfterAnEngineDiedAndRepeatsNoFinishedStep) {
  std::string id;
  std::map<std::string, int> first;
  {
    const auto store = open();
    ScriptedSteps steps([](const StepContext& context, const StepBody& body,
                           std::stop_token stop) -> Result<Input> {
      const auto* judge = std::get_if<JudgeStep>(&body);
      if (judge && judge->full && sleep_until_stopped(stop, 60s)) {
        return fail(Errc::Cancelled, "stopped");
      }
      return all_good(context, body, stop);
    });
    Engine engine(*store, steps, system_clock(), options());
    id = engine.submit(job_of({})).value();
    while (steps.performed().size() < 3) std::this_thread::sleep_for(5ms);
    EXPECT_EQ(steps.running, 1) << "it hangs in the second judging now";
    first = steps.performed();
  }
  const auto store = open();
  ScriptedSteps steps(all_good);
  Engine engine(*store, steps, system_clock(), options());
  ASSERT_TRUE(engine.adopt(id));
  const auto state = engine.wait(id);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->winner, "a");
  EXPECT_EQ(first.size(), 3u);
  EXPECT_EQ(steps.performed().size(), 1u) << "only the step that had not finished";
  EXPECT_TRUE(replay(id, *store->events(id)));
}

TEST(WorkerIdentity, TellsTheDeadFromTheLiving) {
  const std::string me = worker_name();
  EXPECT_FALSE(is_dead(me));
  EXPECT_FALSE(is_dead(me + ":3"));
  EXPECT_FALSE(is_dead("elsewhere/pid.[1]:1:2:3")) << "nobody here can know";
  EXPECT_FALSE(is_dead("d1"));
  std::string reused = me;  // the same number, another start: somebody else by now
  reused.replace(reused.find(':', reused.find(':') + 1) + 1, 1, "x");
  EXPECT_TRUE(is_dead(reused));
}

TEST_F(EngineTest, AJobCancelledByAnotherProcessStopsItsSteps) {
  const auto store = open();
  const auto other = open();
  ScriptedSteps steps(
      [](const StepContext&, const StepBody&, std::stop_token stop) -> Result<Input> {
        sleep_until_stopped(stop, 60s);
        return fail(Errc::Cancelled, "stopped");
      });
  Engine engine(*store, steps, system_clock(), options());
  const auto job = engine.submit(job_of({}));
  while (steps.running == 0) std::this_thread::sleep_for(5ms);
  ASSERT_TRUE(other->post_input(*job, "cancel", "cancel", R"({"reason":"not needed"})"));
  const auto state = engine.wait(*job);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->status, JobStatus::Cancelled);
  EXPECT_EQ(store->job(*job)->state, store::JobState::Cancelled);
}

TEST_F(EngineTest, TwoEnginesShareAJobWithoutDoingAStepTwice) {
  const auto store = open();
  const auto other = open();
  std::atomic<int> judged = 0;
  const auto script = [&](const StepContext& context, const StepBody& body,
                          std::stop_token stop) -> Result<Input> {
    if (std::holds_alternative<ProposeStep>(body)) {
      std::vector<std::string> many;
      for (int i = 0; i < 24; ++i) many.push_back("c" + std::to_string(i));
      return proposes(context, ProposerKind::Template, many);
    }
    ++judged;
    sleep_until_stopped(stop, 20ms);
    return passes(context, std::get<JudgeStep>(body));
  };
  ScriptedSteps mine(script), theirs(script);
  Engine engine(*store, mine, system_clock(), options());
  Engine second(*other, theirs, system_clock(), options());
  JobSpec spec;
  spec.objective = Objective::Best;
  const auto job = engine.submit(job_of(spec));
  ASSERT_TRUE(second.adopt(*job));
  const auto state = engine.wait(*job);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->status, JobStatus::Solved);
  EXPECT_EQ(judged, 24 + 1);
  const auto joined = second.wait(*job);
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(joined->winner, state->winner);
}

TEST_F(EngineTest, AFullDiskEndsNoJobAndLeavesNothingInItsRecord) {
  for (const bool while_judging : {false, true}) {
    const auto store = open();
    std::atomic<bool> full = true;
    ScriptedSteps steps([&](const StepContext& context, const StepBody& body,
                            std::stop_token stop) -> Result<Input> {
      if (full && std::holds_alternative<JudgeStep>(body) == while_judging) {
        return fail(Errc::Io, "database or disk is full");
      }
      return all_good(context, body, stop);
    });
    std::string id;
    {
      Engine engine(*store, steps, system_clock(), options());
      const auto job = engine.submit(job_of({}));
      ASSERT_TRUE(job) << job.error().message;
      id = *job;
      const auto state = engine.wait(id);
      ASSERT_FALSE(state);
      EXPECT_EQ(state.error().code, Errc::Io);
      EXPECT_NE(store->job(id)->state, store::JobState::Failed);
    }
    full = false;
    Engine again(*store, steps, system_clock(), options());
    ASSERT_TRUE(again.adopt(id));
    const auto state = again.wait(id);
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ(state->status, JobStatus::Solved);
    EXPECT_TRUE(state->findings.empty());
  }
}

TEST_F(EngineTest, TheBudgetEndsARaceThatFindsNothing) {
  const auto store = open();
  ScriptedSteps steps(
      [](const StepContext&, const StepBody&, std::stop_token stop) -> Result<Input> {
        sleep_until_stopped(stop, 60s);
        return fail(Errc::Cancelled, "stopped");
      });
  Engine engine(*store, steps, system_clock(), options());
  JobSpec spec;
  spec.budget_s = 0.3;
  const auto job = engine.submit(job_of(spec));
  const auto state = engine.wait(*job);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->status, JobStatus::OutOfBudget);
}

TEST_F(EngineTest, AnInterruptedWaitLeavesTheJobToBeTakenUpLater) {
  const auto store = open();
  std::string id;
  {
    ScriptedSteps steps(
        [](const StepContext&, const StepBody&, std::stop_token stop) -> Result<Input> {
          sleep_until_stopped(stop, 60s);
          return fail(Errc::Cancelled, "stopped");
        });
    Engine engine(*store, steps, system_clock(), options());
    id = engine.submit(job_of({})).value();
    std::stop_source interrupt;
    interrupt.request_stop();
    const auto state = engine.wait(id, interrupt.get_token());
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Errc::Cancelled);
  }
  EXPECT_FALSE(is_final(store->job(id)->state));
  ScriptedSteps steps(all_good);
  Engine engine(*store, steps, system_clock(), options());
  ASSERT_TRUE(engine.adopt(id));
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(engine.wait(id)->status, JobStatus::Solved);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1500ms) << "leases were given back";
}

}  // namespace
}  // namespace kw::agent

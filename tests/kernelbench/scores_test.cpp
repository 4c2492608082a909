#include "kw/bench/scores.h"

#include <gtest/gtest.h>

namespace kw::bench {
namespace {

TaskResult timed(double ours_ms, std::optional<double> eager_ms,
                 TaskClass klass = TaskClass::Genuine) {
  TaskResult result;
  result.task = "t";
  Timing timing;
  timing.median_us = ours_ms * 1000;
  result.outcome = Passed{{}, timing};
  result.klass = klass;
  if (eager_ms) result.baseline = Baseline{{{Against::Eager, {*eager_ms, 0}}}, "", false, ""};
  return result;
}

TaskResult unsolved(double eager_ms) {
  TaskResult result;
  result.baseline = Baseline{{{Against::Eager, {eager_ms, 0}}}, "", false, ""};
  return result;
}

TEST(Scores, CountFastOnlyWhenStrictlyFasterThanTheThreshold) {
  const std::vector<TaskResult> results{timed(1, 2), timed(1, 1), timed(2, 1), unsolved(5)};
  const Score total = score(results, Against::Eager, false);
  EXPECT_EQ(total.tasks, 4u);
  EXPECT_EQ(total.solved, 3u);
  EXPECT_EQ(total.with_baseline, 4u);
  EXPECT_DOUBLE_EQ(total.fast_p.at(0), 0.75);
  EXPECT_DOUBLE_EQ(total.fast_p.at(0.5), 0.5);  // 0.5 itself is not above 0.5
  EXPECT_DOUBLE_EQ(total.fast_p.at(0.8), 0.5);
  EXPECT_DOUBLE_EQ(total.fast_p.at(1), 0.25);
  EXPECT_DOUBLE_EQ(total.fast_p.at(2), 0);
}

TEST(Scores, TakeTheGeometricMeanOverSolvedTasks) {
  const std::vector<TaskResult> results{timed(1, 4), timed(1, 1), unsolved(5)};
  const auto mean = score(results, Against::Eager, false).geometric_mean;
  ASSERT_TRUE(mean);
  EXPECT_NEAR(*mean, 2, 1e-12);
}

TEST(Scores, LeaveDegenerateTasksOutOfTheSoundScore) {
  const std::vector<TaskResult> results{timed(1, 100, TaskClass::Degenerate),
                                        timed(1, 3, TaskClass::Algebraic)};
  EXPECT_NEAR(*score(results, Against::Eager, false).geometric_mean, std::sqrt(300), 1e-9);
  const Score sound = score(results, Against::Eager, true);
  EXPECT_EQ(sound.tasks, 1u);
  EXPECT_NEAR(*sound.geometric_mean, 3, 1e-12);
}

TEST(Scores, SayNothingAboutSpeedWithoutABaseline) {
  const std::vector<TaskResult> results{timed(1, std::nullopt)};
  const Score total = score(results, Against::Eager, false);
  EXPECT_EQ(total.solved, 1u);
  EXPECT_TRUE(total.fast_p.empty());
  EXPECT_FALSE(total.geometric_mean);
  EXPECT_FALSE(score(results, Against::Compile, false).geometric_mean);
  EXPECT_EQ(score({}, Against::Eager, false).tasks, 0u);
}

TEST(Scores, CountATaskThatWasSolvedButNotTimedAsNotFaster) {
  TaskResult result = timed(1, 2);
  std::get<Passed>(result.outcome).timing.reset();  // the virtual machine gives none
  const Score total = score(std::vector{result}, Against::Eager, false);
  EXPECT_EQ(total.solved, 1u);
  EXPECT_DOUBLE_EQ(total.fast_p.at(0), 0);
}

TEST(Scores, ATaskThatNobodyRanIsNotSolved) { EXPECT_FALSE(TaskResult{}.solved()); }

}  // namespace
}  // namespace kw::bench

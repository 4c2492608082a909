#include "kw/search/race.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kw::search {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

LaneReport failed(const std::string& lane, bool finished = false) {
  return {lane, lane + "-bad", false, std::nullopt, finished};
}
LaneReport passed(const std::string& lane, std::optional<double> median_us, bool finished = false,
                  const std::string& candidate = "") {
  return {lane, candidate.empty() ? lane + "-good" : candidate, true, median_us, finished};
}
LaneReport gave_up(const std::string& lane) { return {lane, "", false, std::nullopt, true}; }

Race race_of(RaceRules rules) {
  Race race(rules);
  for (const char* lane : {"templates", "model", "memory"}) EXPECT_TRUE(race.join(lane));
  return race;
}

TEST(Race, StopsTheOthersAsSoonAsOnePasses) {
  Race race = race_of({.objective = Objective::First});
  EXPECT_FALSE(race.report(failed("model")).over);
  const RaceDecision decision = race.report(passed("templates", std::nullopt, true));
  EXPECT_TRUE(decision.over);
  EXPECT_THAT(decision.stop, ElementsAre("model", "memory"));
  EXPECT_EQ(race.leader()->candidate, "templates-good");
}

TEST(Race, StopsAlsoTheWinnersLaneWhenItWouldGoOn) {
  Race race = race_of({.objective = Objective::First});
  EXPECT_THAT(race.report(passed("model", 5.0)).stop, ElementsAre("templates", "model", "memory"));
}

TEST(Race, IgnoresAResultThatCrossesTheOrderToStop) {
  Race race = race_of({.objective = Objective::First});
  (void)race.report(passed("templates", 20.0, true));
  const RaceDecision late = race.report(passed("model", 1.0, true));
  EXPECT_TRUE(late.over);
  EXPECT_THAT(late.stop, IsEmpty());
  EXPECT_EQ(race.leader()->lane, "templates");
  EXPECT_FALSE(race.join("late"));
}

TEST(Race, TakesTheFastestOfThoseThatPassedWithinTheBudget) {
  Race race = race_of({.objective = Objective::Best, .budget_s = 60});
  EXPECT_FALSE(race.report(passed("templates", 20.0, true)).over);
  EXPECT_FALSE(race.report(passed("model", 12.0, false, "m1")).over);
  EXPECT_FALSE(race.report(passed("model", 15.0, false, "m2")).over);
  EXPECT_FALSE(race.elapsed(59.9).over);
  const RaceDecision decision = race.elapsed(60);
  EXPECT_TRUE(decision.over);
  EXPECT_THAT(decision.stop, ElementsAre("model", "memory"));
  EXPECT_EQ(race.leader()->candidate, "m1");
}

TEST(Race, EndsWhenEveryLaneIsDoneAndNoneWillJoin) {
  Race race = race_of({.objective = Objective::Best});
  (void)race.report(passed("templates", 20.0, true));
  (void)race.report(gave_up("memory"));
  EXPECT_FALSE(race.report(failed("model", true)).over);  // another lane may still join
  EXPECT_TRUE(race.join("second model"));
  EXPECT_FALSE(race.close().over);
  EXPECT_THAT(race.running(), ElementsAre("second model"));
  const RaceDecision decision = race.report(gave_up("second model"));
  EXPECT_TRUE(decision.over);
  EXPECT_THAT(decision.stop, IsEmpty());
  EXPECT_EQ(race.leader()->lane, "templates");
}

TEST(Race, EndsEarlyWhenTheLeaderIsAsFastAsTheHardware) {
  Race race = race_of({.objective = Objective::Best, .budget_s = 60, .floor_us = 10});
  EXPECT_FALSE(race.report(passed("templates", 10.6, true)).over);
  const RaceDecision decision = race.report(passed("memory", 10.5, true));
  EXPECT_TRUE(decision.over);
  EXPECT_THAT(decision.stop, ElementsAre("model"));
}

TEST(Race, PrefersATimedCandidateAndKeepsTheEarlierOfEquals) {
  Race race = race_of({.objective = Objective::Best});
  (void)race.report(passed("memory", std::nullopt));
  (void)race.report(passed("templates", std::nullopt));
  EXPECT_EQ(race.leader()->lane, "memory");
  (void)race.report(passed("model", 100.0, false, "m1"));
  EXPECT_EQ(race.leader()->candidate, "m1");
  (void)race.report(passed("templates", 100.0));
  EXPECT_EQ(race.leader()->candidate, "m1");
  (void)race.report(passed("memory", std::nullopt));
  EXPECT_EQ(race.leader()->candidate, "m1");
}

TEST(Race, EndsWithoutAWinnerWhenNothingPasses) {
  Race race = race_of({.objective = Objective::First, .budget_s = 5});
  (void)race.report(failed("templates", true));
  const RaceDecision decision = race.elapsed(6);
  EXPECT_TRUE(decision.over);
  EXPECT_THAT(decision.stop, ElementsAre("model", "memory"));
  EXPECT_FALSE(race.leader().has_value());
  EXPECT_THAT(race.cancel().stop, IsEmpty());
}

TEST(Race, KeepsWhatPassedWhenCancelled) {
  Race race = race_of({.objective = Objective::Best});
  (void)race.report(passed("memory", 7.0));
  EXPECT_THAT(race.cancel().stop, ElementsAre("templates", "model", "memory"));
  EXPECT_EQ(race.leader()->candidate, "memory-good");
}

TEST(Race, IgnoresStrangersAndLanesThatFinished) {
  Race race = race_of({.objective = Objective::First});
  EXPECT_FALSE(race.report(passed("stranger", 1.0)).over);
  (void)race.report(failed("model", true));
  EXPECT_FALSE(race.report(passed("model", 1.0)).over);
  EXPECT_FALSE(race.leader().has_value());
  EXPECT_TRUE(race.join("memory"));  // again: nothing changes
  EXPECT_THAT(race.running(), ElementsAre("templates", "memory"));
}

}  // namespace
}  // namespace kw::search

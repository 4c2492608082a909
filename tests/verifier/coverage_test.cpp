// What no trial could judge is never passed over in silence.

#include <gtest/gtest.h>

#include "checks.h"

namespace kw::verify {
namespace {

TrialCoverage trial(std::string label, Family family, std::vector<std::int64_t> judged) {
  TrialCoverage t{std::move(label), family, {}, std::move(judged)};
  t.elements.assign(t.judged.size(), 8);
  return t;
}

TEST(Coverage, OrdinaryNumbersAreStoodInForByOrdinaryNumbersAlone) {
  std::vector<TrialCoverage> all{trial("as_drawn", Family::AsDrawn, {0}),
                                 trial("huge", Family::Huge, {8})};
  EXPECT_TRUE(all[0].silent());
  EXPECT_EQ(made_up_by(all, 0), std::nullopt);
  all.push_back(trial("uniform", Family::Uniform, {3}));
  EXPECT_EQ(made_up_by(all, 0), "uniform");
}

TEST(Coverage, ExtremeNumbersAreStoodInForByTheNearestKind) {
  std::vector<TrialCoverage> all{trial("huge.x", Family::Huge, {0}),
                                 trial("uniform", Family::Uniform, {8})};
  EXPECT_EQ(made_up_by(all, 0), "uniform");
  all.push_back(trial("denormal.x", Family::Denormal, {8}));
  EXPECT_EQ(made_up_by(all, 0), "denormal.x");
  all.push_back(trial("huge.w", Family::Huge, {8}));
  EXPECT_EQ(made_up_by(all, 0), "huge.w");
}

TEST(Coverage, AStandInHasJudgedEveryOutput) {
  const std::vector<TrialCoverage> all{trial("normal", Family::Normal, {0, 0}),
                                       trial("uniform", Family::Uniform, {8, 0}),
                                       trial("shifted", Family::Shifted, {0, 8})};
  EXPECT_EQ(made_up_by(all, 0), std::nullopt);
  EXPECT_EQ(never_judged(all), std::nullopt);
}

TEST(Coverage, AnOutputThatNobodyJudgedIsNamed) {
  std::vector<TrialCoverage> all{trial("as_drawn", Family::AsDrawn, {8, 0}),
                                 trial("uniform", Family::Uniform, {8, 0})};
  EXPECT_EQ(never_judged(all), 1u);
  for (TrialCoverage& t : all) t.elements[1] = 0;  // an empty output has nothing to judge
  EXPECT_EQ(never_judged(all), std::nullopt);
  EXPECT_FALSE(TrialCoverage{}.silent());
}

}  // namespace
}  // namespace kw::verify

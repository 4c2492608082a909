#include <gtest/gtest.h>

#include "kill_harness.h"

namespace kw::e2e {
namespace {

TEST(Kill, TwentyJobsSurviveASigkillAtAUniformlyRandomMoment) {
  const auto life = undisturbed();
  int struck = 0;
  for (std::uint64_t seed = 100; seed < 120 && !HasFailure(); ++seed) {
    survive(seed, 1, life, struck);
  }
  std::printf("%d of 20 kills found the job alive\n", struck);
  EXPECT_GE(struck, 15);
}

TEST(Kill, OneJobSurvivesManySigkills) {
  int struck = 0;
  survive(7, 20, undisturbed() / 5, struck);
  std::printf("one job was killed %d times\n", struck);
  EXPECT_GE(struck, 5);
}

}  // namespace
}  // namespace kw::e2e

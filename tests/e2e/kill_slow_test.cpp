#include <gtest/gtest.h>

#include "kill_harness.h"

namespace kw::e2e {
namespace {

TEST(Kill, TwentyJobsSurviveASigkillEach) {
  const auto life = undisturbed();
  for (std::uint64_t seed = 100; seed < 120 && !HasFailure(); ++seed) survive(seed, 1, life);
}

TEST(Kill, OneJobSurvivesTwentySigkills) { survive(7, 20, undisturbed()); }

}  // namespace
}  // namespace kw::e2e

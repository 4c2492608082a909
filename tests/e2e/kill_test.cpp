#include <gtest/gtest.h>

#include "kill_harness.h"

namespace kw::e2e {
namespace {

TEST(Kill, AJobSurvivesSigkillAtRandomMoments) {
  int struck = 0;
  survive(1, 3, undisturbed() / 2, struck);
  EXPECT_GT(struck, 0);
}

}  // namespace
}  // namespace kw::e2e

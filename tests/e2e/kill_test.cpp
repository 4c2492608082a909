#include <gtest/gtest.h>

#include "kill_harness.h"

namespace kw::e2e {
namespace {

TEST(Kill, AJobSurvivesSigkillAtRandomMoments) { survive(1, 3, undisturbed()); }

}  // namespace
}  // namespace kw::e2e

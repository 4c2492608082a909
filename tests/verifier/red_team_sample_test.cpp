// Part of the red team in every run of the tests; red_team_slow_test has the whole of it.

#include "red_team.h"

namespace kw::redteam {
namespace {

TEST(RedTeamSample, HostileKernelsAreRefused) { judge_all("hostile/", 3, false); }
TEST(RedTeamSample, HonestKernelsPass) { judge_all("honest/", 3, false); }

}  // namespace
}  // namespace kw::redteam

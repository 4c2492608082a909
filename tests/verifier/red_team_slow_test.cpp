// The whole red team: everything hostile is refused for the stated reason, and nothing honest is.

#include "red_team.h"

namespace kw::redteam {
namespace {

TEST(RedTeamWhole, HostileKernelsAreRefused) { judge_all("hostile/", 1, true); }
TEST(RedTeamWhole, HonestKernelsPass) { judge_all("honest/", 1, true); }

}  // namespace
}  // namespace kw::redteam

// The whole red team: everything hostile is refused for the stated reason, and nothing honest is.

#include <cstdlib>

#include "red_team.h"

namespace kw::redteam {
namespace {

TEST(RedTeamWhole, HostileKernelsAreRefused) { judge_all("hostile/", 1, true); }
TEST(RedTeamWhole, HonestKernelsPass) { judge_all("honest/", 1, true); }
/// KW_DRAWS=200 for many, KW_CASES for some kernels of the honest.
TEST(RedTeamWhole, NoDrawRefusesAnHonestKernel) {
  const char* draws = std::getenv("KW_DRAWS");
  const char* some = std::getenv("KW_CASES");
  const std::uint64_t count = draws == nullptr ? 2 : std::strtoull(draws, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    judge_all(std::string("honest/") + (some == nullptr ? "" : some), 1, true, seed);
  }
}

}  // namespace
}  // namespace kw::redteam

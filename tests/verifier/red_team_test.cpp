// What the red team consists of.

#include <set>

#include "red_team.h"

namespace kw::redteam {
namespace {

TEST(RedTeam, HasSeventyOfEachKind) {
  std::size_t hostile = 0, honest = 0;
  std::set<std::string> names;
  for (const Case& c : all_cases()) {
    ++(c.hostile ? hostile : honest);
    EXPECT_FALSE(c.about.empty()) << c.name;
    EXPECT_TRUE(names.insert(c.name).second) << c.name;
  }
  EXPECT_GE(hostile, 70u);
  EXPECT_GE(honest, 70u);
}
TEST(RedTeam, AmongManifestsAMistakeNamesItsFile) {
  for (const char* text : {"//! task: relu 3\n", "//! task: nothing 3 4\n", "//! about: no task\n",
                           "//! task: relu 3 65\n//! expect: wrong\n",
                           "//! task: relu 3 65\n//! launch: k grid\n//! launch: k tall 3\n",
                           "//! task: relu 3 65\n//! plan: /buffers/9/x\n"}) {
    const auto found = parse_cases("hostile/mistake", text, true);
    ASSERT_FALSE(found) << text;
    EXPECT_NE(found.error().message.find("hostile/mistake"), std::string::npos);
  }
}

}  // namespace
}  // namespace kw::redteam

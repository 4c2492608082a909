// What the red team consists of.

#include "red_team.h"

#include <set>

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

Report report_of(std::size_t cases) {
  Report report;
  for (std::size_t i = 0; i < cases; ++i) {
    const Case& c = all_cases()[i];
    CaseResult result;
    result.which = &c;
    result.finding = c.hostile ? Finding::AsExpected : Finding::Refused;
    result.kind = "wrong_result";
    result.check = "V10";
    report.results.push_back(std::move(result));
  }
  return report;
}

TEST(RedTeam, LinesAreReadAgainWithoutOneThatAnInterruptTore) {
  std::string lines;
  for (const CaseResult& result : report_of(3).results) lines += to_json_line(result);
  const auto again = parse_json_lines(lines.substr(0, lines.size() - 5), all_cases());
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 2u);
  EXPECT_EQ(again->at(1).which, &all_cases()[1]);
  EXPECT_EQ(again->at(1).check, "V10");
  EXPECT_FALSE(
      parse_json_lines("{\"case\":\"nobody\",\"finding\":\"as expected\"}\n", all_cases()));
}

TEST(RedTeam, ReportsOfTwoDevicesStandSideBySide) {
  const auto vm =
      parse_report(to_json(report_of(2), {"ptxvm", "machine", "", "", "sm_80"}), all_cases());
  const auto gpu =
      parse_report(to_json(report_of(1), {"cuda", "card", "", "", "sm_90"}), all_cases());
  ASSERT_TRUE(vm) << vm.error().message;
  ASSERT_TRUE(gpu) << gpu.error().message;
  const std::string text = to_markdown(std::vector{*vm, *gpu}, all_cases());
  EXPECT_NE(text.find("| case | rows | machine | card |"), std::string::npos);
  const Case& second = all_cases()[1];
  const std::size_t row = text.find("| " + second.name + " |");
  ASSERT_NE(row, std::string::npos);
  const std::string_view line = std::string_view(text).substr(row, text.find('\n', row) - row);
  EXPECT_NE(line.find("wrong_result by V10"), std::string_view::npos) << line;
  EXPECT_NE(line.find("not run"), std::string_view::npos) << line;
}

}  // namespace
}  // namespace kw::redteam

#include "kw/bench/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kw/bench/baselines.h"

namespace kw::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kLines =
    R"({"v":1,"kind":"baseline","device":"H100","policy":"ieee","warm_s":3.5}
{"problem":"1/19","eager_ms":4.0,"compile_ms":4.4,"eager_default_ms":4.0,"spread":{"eager":0.01,"compile":0.02},"samples":{"eager":30},"clocks":{"sm_mhz":1980}}
{"problem":"1/4","error":"no result within 60 s"}
{"problem":"1/19","graph_ms":3.5,"library_ms":3.9,"library":"cuBLASLt","library_only":true,"spread":{"graph":0.03}}
)";

Report sample() {
  Report report;
  report.suite = "kernelbench20";
  report.policy = "ieee";
  report.device = {"cuda", "H100", "GPU-1", "580", "sm_90"};
  TaskResult solved;
  solved.task = "kernelbench:1/19";
  Timing timing;
  timing.median_us = 2000;
  timing.floor_us = 1500;
  solved.outcome = Passed{{}, timing};
  solved.kernel = "templates";
  const auto baselines = parse_baselines(kLines);
  solved.baseline = *baselines->find("kernelbench:1/19");
  TaskResult failed;
  failed.task = "kernelbench:1/4";
  failed.outcome = Rejected{RejectKind::WrongResult, "element [0] is 3 | not 4\n", {}, {}};
  report.results = {solved, failed};
  return report;
}

TEST(Baselines, AreFoundByTaskButNotForSmallVariants) {
  const auto baselines = parse_baselines(kLines);
  ASSERT_TRUE(baselines) << baselines.error().message;
  const Baseline* relu = baselines->find("kernelbench:1/19");
  ASSERT_NE(relu, nullptr);
  EXPECT_EQ(relu->ms(Against::Eager), 4.0);
  EXPECT_EQ(relu->times.at(Against::Compile).spread, 0.02);
  EXPECT_EQ(relu->times.at(Against::Graph).spread, 0.03);  // of another line
  EXPECT_EQ(relu->best_ms(), 3.5);
  EXPECT_EQ(relu->library, "cuBLASLt");
  EXPECT_EQ(baselines->find("kernelbench:1/4")->error, "no result within 60 s");
  EXPECT_EQ(baselines->find("kernelbench:1/19@small"), nullptr);
  EXPECT_EQ(baselines->find("format:mxfp8/gemv?m=1&n=2&k=3"), nullptr);
  EXPECT_EQ(baselines->machine.at("device"), "H100");
  EXPECT_EQ(baselines->machine.at("warm_s"), "3.5");
}

TEST(Baselines, RefuseDamagedFilesWithTheLine) {
  const auto message = [](std::string text) {
    const auto parsed = parse_baselines(text);
    return parsed ? std::string("accepted") : parsed.error().message;
  };
  const std::string lines(kLines);
  EXPECT_THAT(message(lines + "{\"problem\":\"1/5\",\"eag"), HasSubstr("line 5"));
  EXPECT_THAT(message(lines + "{\"problem\":\"1/5\",\"eager_ms\":-1}"), HasSubstr("eager_ms"));
  EXPECT_THAT(message(lines + "{\"problem\":\"1/19\",\"eager_ms\":1}"), HasSubstr("twice"));
  EXPECT_THAT(message(lines + "{\"eager_ms\":1}"), HasSubstr("problem"));
  EXPECT_THAT(message(""), HasSubstr("no line describes the machine"));
  EXPECT_THAT(message("{\"v\":2,\"kind\":\"baseline\"}"), HasSubstr("version 2"));
}

TEST(Report, SurvivesBeingWrittenAndReadAgain) {
  const std::string json = to_json(sample());
  const auto again = parse_report(json);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), json);
  EXPECT_THAT(json, HasSubstr("\"geometric_mean\": 2.0"));
}

TEST(Report, LinesAreReadAgainWithoutOneThatAnInterruptTore) {
  const Report report = sample();
  std::string lines;
  for (const TaskResult& result : report.results) lines += to_json_line(result);
  const std::string torn = to_json_line(report.results[0]);
  const auto again = parse_result_lines(lines + torn.substr(0, torn.size() / 2));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 2u);
  EXPECT_EQ(again->at(0).ms(), report.results[0].ms());
  EXPECT_EQ(to_json_line(again->at(1)), to_json_line(report.results[1]));
  EXPECT_FALSE(parse_result_lines("{\"task\":\n"));
}

TEST(Report, RefusesOtherDocuments) {
  EXPECT_FALSE(parse_report("[]"));
  EXPECT_FALSE(parse_report("{\"v\":1,\"kind\":\"task\"}"));
  std::string json = to_json(sample());
  json.replace(json.find("\"genuine\""), 9, "\"perfect\"");
  const auto report = parse_report(json);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("/results/0/class"));
}

TEST(Report, ShowsTimesSpeedupsAndTheShareOfTheFloor) {
  const std::string text = to_markdown(sample());
  EXPECT_THAT(text,
              HasSubstr("| kernelbench:1/19 | passed | 2.000 | 4.000 | 3.500 | 3.900 (cuBLASLt) "
                        "| 4.400 | 2.00x | 1.75x | 1.500 | 75 % | genuine | templates |"));
  EXPECT_THAT(text, HasSubstr("| sound | CUDA graph | 1 of 2 |"));
  EXPECT_THAT(text, HasSubstr("policy: ieee"));
  EXPECT_THAT(text, HasSubstr("| all | eager | 1 of 2 |"));
}

TEST(Report, KeepsForeignTextInsideItsCell) {
  const std::string text = to_markdown(sample());
  EXPECT_THAT(text, HasSubstr("is 3 \\| not 4  |"));
  EXPECT_THAT(text, Not(HasSubstr("not 4\n")));
}

TEST(Report, IsWrittenAsThreeFilesOrSaysWhyNot) {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("kw_report_{}", ::getpid());
  std::filesystem::create_directory(folder);
  ASSERT_TRUE(write_report(sample(), (folder / "r").string()));
  EXPECT_TRUE(std::filesystem::exists(folder / "r.json"));
  EXPECT_TRUE(std::filesystem::exists(folder / "r.md"));
  EXPECT_TRUE(std::filesystem::exists(folder / "r.html"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 3);
  std::filesystem::remove_all(folder);
  const auto status = write_report(sample(), (folder / "r").string());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::Io);
  EXPECT_THAT(status.error().message, HasSubstr("r.json"));
}

TEST(ReportHtml, HoldsScoresChartsAndEvidenceAndNoMarkupOfOthers) {
  Report report = sample();
  auto& good = std::get<Passed>(report.results[0].outcome);
  CheckRecord roofline;
  roofline.check = "V9.roofline";
  roofline.passed = true;
  roofline.figures = {{"bytes", 1e9}, {"operations", 4e9}};
  roofline.notes = {{"note", "<script>"}};
  good.evidence.checks.push_back(roofline);
  good.evidence.counters["launched.r0_stream"] = 2;
  good.evidence.counters["kernel_us.r0_stream"] = 12.5;
  report.results[1].refused = {"a & b"};
  const std::string page = to_html(report);
  EXPECT_THAT(page, HasSubstr("aria-label=\"speedup against eager\""));
  EXPECT_THAT(page, HasSubstr("aria-label=\"roofline\""));
  EXPECT_THAT(page, HasSubstr("<section id=\"kernelbench-1-19\">"));
  EXPECT_THAT(page, HasSubstr("<code>r0_stream</code></td><td class=\"n\">2</td><td class=\"n\">12.5</td>"));
  EXPECT_THAT(page, HasSubstr("element [0] is 3 | not 4"));
  EXPECT_THAT(page, HasSubstr("a &amp; b"));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, Not(HasSubstr("http")));
}

TEST(ReportHtml, OfAnEmptyReportHasNoCharts) {
  Report report;
  report.suite = "nothing";
  const std::string page = to_html(report);
  EXPECT_THAT(page, Not(HasSubstr("<svg")));
  EXPECT_THAT(page, HasSubstr("0 of 0"));
}

}  // namespace
}  // namespace kw::bench

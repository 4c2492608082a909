#include <algorithm>

#include "kw/core/json.h"
#include "kw/redteam/redteam.h"

namespace kw::redteam {
namespace {

double median_ms(const Report& report) {
  std::vector<double> ms;
  for (const CaseResult& r : report.results) ms.push_back(r.ms);
  if (ms.empty()) return 0;
  std::nth_element(ms.begin(), ms.begin() + static_cast<std::ptrdiff_t>(ms.size() / 2), ms.end());
  return ms[ms.size() / 2];
}

std::map<std::string, std::size_t> caught_by(const Report& report) {
  std::map<std::string, std::size_t> by;
  for (const CaseResult& r : report.results) {
    if (r.which->hostile && r.kind != "passed") ++by[r.check.empty() ? r.kind : r.check];
  }
  return by;
}

Json case_json(const CaseResult& r) {
  return {{"case", r.which->name},
          {"about", r.which->about},
          {"rows", r.which->rows},
          {"finding", std::string(to_string(r.finding))},
          {"outcome", r.kind},
          {"check", r.check},
          {"reason", r.reason},
          {"ms", number_json(r.ms)}};
}

std::optional<Finding> finding_of(std::string_view text) {
  for (const Finding f : {Finding::AsExpected, Finding::Otherwise, Finding::Missed,
                          Finding::Refused, Finding::KnownGap, Finding::Unjudged}) {
    if (to_string(f) == text) return f;
  }
  return std::nullopt;
}

Result<CaseResult> parse_case(const Json& json, const std::vector<Case>& cases) {
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  CaseResult result;
  KW_ASSIGN(const std::string name, reader.string("case"));
  const auto which = std::ranges::find(cases, name, &Case::name);
  if (which == cases.end()) return fail(Errc::NotFound, "no case is called '{}'", name);
  result.which = &*which;
  KW_ASSIGN(const std::string finding, reader.string("finding"));
  const auto known = finding_of(finding);
  if (!known) return fail(Errc::InvalidArgument, "{}: unknown finding '{}'", name, finding);
  result.finding = *known;
  KW_ASSIGN(result.kind, reader.string("outcome"));
  KW_ASSIGN(result.check, reader.string("check"));
  KW_ASSIGN(result.reason, reader.string("reason"));
  KW_ASSIGN(result.ms, reader.number("ms"));
  return result;
}

}  // namespace

std::string to_json_line(const CaseResult& result) { return dump(case_json(result)) + "\n"; }

Result<std::vector<CaseResult>> parse_json_lines(std::string_view lines,
                                                 const std::vector<Case>& cases) {
  std::vector<CaseResult> results;
  for (std::size_t line = 1; !lines.empty(); ++line) {
    const std::size_t end = lines.find('\n');
    if (end == std::string_view::npos) break;  // torn by an interrupt
    auto json = parse_json(lines.substr(0, end));
    if (!json) return wrap(json.error(), fmt::format("line {}", line));
    auto result = parse_case(*json, cases);
    if (!result) return wrap(result.error(), fmt::format("line {}", line));
    results.push_back(std::move(*result));
    lines.remove_prefix(end + 1);
  }
  return results;
}

Result<Column> parse_report(std::string_view text, const std::vector<Case>& cases) {
  KW_ASSIGN(const Json json, parse_json(text));
  KW_ASSIGN(JsonReader reader, JsonReader::object(json, ""));
  KW_ASSIGN(const std::string kind, reader.string("kind"));
  if (kind != "red_team") return fail(Errc::InvalidArgument, "not a red team's report: '{}'", kind);
  Column column;
  KW_ASSIGN(column.judge, reader.string("judge"));
  KW_ASSIGN(const Json* device, reader.member("device"));
  KW_ASSIGN(JsonReader device_reader, JsonReader::object(*device, "/device"));
  KW_ASSIGN(column.device.klass, device_reader.string("class"));
  KW_ASSIGN(column.device.name, device_reader.string("name"));
  KW_ASSIGN(column.device.arch, device_reader.string("arch"));
  KW_ASSIGN(const Json* list, reader.array("cases"));
  for (const Json& item : *list) {
    KW_ASSIGN(CaseResult result, parse_case(item, cases));
    column.report.results.push_back(std::move(result));
  }
  return column;
}

std::string to_json(const Report& report, const DeviceIdentity& device) {
  Json list = Json::array();
  for (const CaseResult& r : report.results) list.push_back(case_json(r));
  return dump({{"v", 1},
               {"kind", "red_team"},
               {"judge", verify::kJudgeVersion},
               {"device", {{"class", device.klass}, {"name", device.name}, {"arch", device.arch}}},
               {"hostile", report.count(true)},
               {"missed", report.count(true, Finding::Missed)},
               {"known_gaps", report.count(true, Finding::KnownGap)},
               {"refused_otherwise", report.count(true, Finding::Otherwise)},
               {"honest", report.count(false)},
               {"honest_refused", report.count(false, Finding::Refused)},
               {"not_judged",
                report.count(true, Finding::Unjudged) + report.count(false, Finding::Unjudged)},
               {"catch_rate", number_json(report.catch_rate())},
               {"median_ms", number_json(median_ms(report))},
               {"caught_by", caught_by(report)},
               {"sound", report.sound()},
               {"cases", std::move(list)}});
}

std::string to_text(const Report& report) {
  std::string out;
  for (const CaseResult& r : report.results) {
    if (r.finding == Finding::AsExpected) continue;
    out += fmt::format("{:<18} {:<34} {} {}: {}\n", to_string(r.finding), r.which->name, r.kind,
                       r.check, r.reason);
  }
  out += "caught by";
  for (const auto& [check, n] : caught_by(report)) out += fmt::format("  {} {}", check, n);
  out += fmt::format(
      "\nhostile {}: {:.1f} % caught, {} missed, {} known gaps, {} for another reason "
      "than stated\n"
      "honest  {}: {} refused\n"
      "not judged here: {}\nmedian {:.0f} ms a candidate\n",
      report.count(true), 100 * report.catch_rate(), report.count(true, Finding::Missed),
      report.count(true, Finding::KnownGap), report.count(true, Finding::Otherwise), report.count(false),
      report.count(false, Finding::Refused),
      report.count(true, Finding::Unjudged) + report.count(false, Finding::Unjudged),
      median_ms(report));
  return out;
}

}  // namespace kw::redteam

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

}  // namespace

std::string to_json(const Report& report, const DeviceIdentity& device) {
  Json list = Json::array();
  for (const CaseResult& r : report.results) {
    list.push_back({{"case", r.which->name},
                    {"about", r.which->about},
                    {"rows", r.which->rows},
                    {"finding", std::string(to_string(r.finding))},
                    {"outcome", r.kind},
                    {"check", r.check},
                    {"reason", r.reason},
                    {"ms", number_json(r.ms)}});
  }
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

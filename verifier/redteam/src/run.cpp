#include <algorithm>
#include <chrono>

#include "kw/redteam/redteam.h"

namespace kw::redteam {
namespace {

template <typename T>
bool among(const std::vector<T>& list, const T& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

void classify(const Case& c, const Outcome& outcome, CaseResult& out) {
  const auto* rejected = std::get_if<Rejected>(&outcome);
  if (rejected == nullptr) {
    out.kind = "passed";
    out.finding = !c.hostile ? Finding::AsExpected : c.pending ? Finding::KnownGap : Finding::Missed;
    return;
  }
  out.kind = to_string(rejected->kind);
  out.reason = rejected->reason;
  const auto check = rejected->witness.find("check");
  if (check != rejected->witness.end()) out.check = check->second;
  const bool expected = c.hostile && among(c.kinds, rejected->kind) &&
                        (c.checks.empty() || among(c.checks, out.check));
  if (expected) {
    out.finding = Finding::AsExpected;
  } else if (rejected->kind == RejectKind::NotVerifiable) {
    out.finding = Finding::Unjudged;
  } else {
    out.finding = c.hostile ? Finding::Otherwise : Finding::Refused;
  }
}

}  // namespace

std::string_view to_string(Finding finding) noexcept {
  switch (finding) {
    case Finding::AsExpected:
      return "as expected";
    case Finding::Otherwise:
      return "refused otherwise";
    case Finding::Missed:
      return "MISSED";
    case Finding::Refused:
      return "REFUSED";
    case Finding::KnownGap:
      return "known gap";
    case Finding::Unjudged:
      return "not judged";
  }
  return "?";
}

Result<Report> run(verify::Judge& judge, const std::vector<Case>& cases, const Options& options,
                   std::stop_token stop) {
  std::vector<const Case*> chosen;
  for (const Case& c : cases) {
    const bool wanted = c.name.find(options.filter) != std::string::npos;
    if (wanted && (options.slow_too || !c.slow)) chosen.push_back(&c);
  }
  std::vector<const Case*> mine;
  for (std::size_t i = options.first; i < chosen.size(); i += std::max<std::size_t>(options.stride, 1)) {
    mine.push_back(chosen[i]);
  }
  Report report;
  for (const Case* c : mine) {
    CaseResult result;
    result.which = c;
    verify::JudgeOptions how;
    how.seed = options.seed;
    how.deadline = std::chrono::milliseconds(c->deadline_ms);
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = judge.judge(c->task, c->candidate, how, stop);
    if (!outcome) return wrap(outcome.error(), c->name);
    result.ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    classify(*c, *outcome, result);
    report.results.push_back(std::move(result));
    if (options.progress) options.progress(report.results.back(), report.results.size(), mine.size());
  }
  return report;
}

std::size_t Report::count(bool hostile) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      results, [&](const CaseResult& r) { return r.which->hostile == hostile; }));
}
std::size_t Report::count(bool hostile, Finding finding) const {
  return static_cast<std::size_t>(std::ranges::count_if(results, [&](const CaseResult& r) {
    return r.which->hostile == hostile && r.finding == finding;
  }));
}
double Report::catch_rate() const {
  const std::size_t all = count(true) - count(true, Finding::KnownGap);
  const std::size_t caught = count(true, Finding::AsExpected) + count(true, Finding::Otherwise);
  return all == 0 ? 1 : static_cast<double>(caught) / static_cast<double>(all);
}
bool Report::sound() const {
  return !results.empty() && catch_rate() >= 1 && count(false, Finding::AsExpected) == count(false);
}

}  // namespace kw::redteam

// V10, at the end: what nobody could judge is never passed over in silence. An element is not
// judged where its exact result hangs on the order of operations; a family may consist of nothing
// else (sums of numbers near the largest one, say). Another family must then have judged the task.

#include <algorithm>

#include "checks.h"

namespace kw::verify {
namespace {

/// Families that go to the ends of the number range; the others keep to its middle.
bool is_extreme(Family family) {
  return family == Family::Huge || family == Family::Denormal || family == Family::NonFinite;
}

bool judged_every_output(const TrialCoverage& trial) {
  for (std::size_t o = 0; o < trial.elements.size(); ++o) {
    if (trial.elements[o] > 0 && trial.judged[o] == 0) return false;
  }
  return !trial.silent();
}

}  // namespace

bool TrialCoverage::silent() const {
  const auto positive = [](std::int64_t n) { return n > 0; };
  return std::ranges::any_of(elements, positive) && std::ranges::none_of(judged, positive);
}

std::optional<std::string> made_up_by(const std::vector<TrialCoverage>& all, std::size_t silent) {
  const bool extreme = is_extreme(all[silent].family);
  // The nearest in kind first: an extreme family's stand-in is one of the same family on another
  // operand, then another extreme one.
  const auto distance = [&](const TrialCoverage& other) {
    if (other.family == all[silent].family) return 0;
    return is_extreme(other.family) == extreme ? 1 : 2;
  };
  const TrialCoverage* best = nullptr;
  for (const TrialCoverage& other : all) {
    if (!judged_every_output(other) || (!extreme && is_extreme(other.family))) continue;
    if (best == nullptr || distance(other) < distance(*best)) best = &other;
  }
  return best == nullptr ? std::nullopt : std::optional(best->label);
}

std::optional<std::size_t> never_judged(const std::vector<TrialCoverage>& all) {
  const std::size_t outputs = all.empty() ? 0 : all.front().elements.size();
  for (std::size_t o = 0; o < outputs; ++o) {
    const bool any = std::ranges::any_of(
        all, [&](const TrialCoverage& t) { return t.elements[o] == 0 || t.judged[o] > 0; });
    if (!any) return o;
  }
  return std::nullopt;
}

Checked check_coverage(Session& session) {
  const auto unverifiable = [](std::string label, std::string reason) {
    Verdict verdict{"V10", RejectKind::NotVerifiable, std::move(reason), {}};
    verdict.witness["trial"] = std::move(label);
    return verdict;
  };
  for (std::size_t i = 0; i < session.coverage.size(); ++i) {
    const TrialCoverage& trial = session.coverage[i];
    if (!trial.silent()) continue;
    const auto other = made_up_by(session.coverage, i);
    if (!other) {
      return unverifiable(trial.label,
                          fmt::format("{}: no element could be judged, since each hangs on the "
                                      "order of operations, and no other family stands in for it: "
                                      "give the task other inputs or shapes",
                                      trial.label));
    }
    for (CheckRecord& record : session.evidence.checks) {
      if (record.check == "V10." + trial.label) record.notes["made_up_by"] = *other;
    }
  }
  if (const auto output = never_judged(session.coverage)) {
    const Value& value = session.task.graph.value(session.task.graph.outputs[*output]);
    return unverifiable("", fmt::format("output '{}' could not be judged in any trial, since each "
                                        "element hangs on the order of operations",
                                        value.name));
  }
  return std::nullopt;
}

}  // namespace kw::verify

// V16: one input element changes; the outputs that depend on it change, and no others. The changed
// run is judged by the reference like any other; besides, outputs that the reference leaves alone
// must keep their bits when the kernel is known to repeat itself.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"
#include "kw/core/random.h"

namespace kw::verify {
namespace {

constexpr std::size_t kTrials = 4;

/// A number far from the data, representable in every float type: twice the largest magnitude.
double shifted(const std::vector<double>& data, double old) {
  double largest = 0;
  for (const double v : data) {
    if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
  }
  const double step = std::exp2(std::ceil(std::log2(largest > 0 ? largest : 1)) + 1);
  return old > 0 ? step : step * 1.5;
}

}  // namespace

Result<std::vector<TrialPlan>> sensitivity_trials(Session& session, const TrialPlan& base) {
  std::vector<TrialPlan> plans;
  if (session.large || !session.asked("V16")) return plans;
  const std::vector<ValueId> ids = filled_values(session.task.graph);
  const std::vector<ValueId> free = free_values(session.task);
  RandomStream random(session.seed_for("judge.sensitivity"), 0);
  for (std::size_t t = 0; t < kTrials && !free.empty(); ++t) {
    const ValueId id = free[t % free.size()];
    const auto slot = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
    const Value& value = session.task.graph.value(id);
    const std::int64_t elements = storage_elements(value);
    if (elements == 0) continue;
    TrialPlan plan = base;
    plan.label = fmt::format("sensitivity.{}", t);
    KW_ASSIGN(std::vector<std::byte> bytes, materialise(base.fills[slot]));
    const Value flat{value.name, value.dtype, {elements}, {}, "", value.role};
    KW_ASSIGN(reference::Tensor data, reference::decode_tensor(flat, bytes));
    // Both ends, where tails are lost, and then anywhere.
    const std::int64_t index =
        t < free.size()
            ? elements - 1
            : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(elements)));
    const auto at = static_cast<std::size_t>(index);
    reference::Tensor one = reference::make_tensor({});
    one.value[0] = shifted(data.value, data.value[at]);
    const std::vector<std::byte> encoded = reference::encode_tensor(one, value.dtype);
    std::memcpy(bytes.data() + at * encoded.size(), encoded.data(), encoded.size());
    plan.fills[slot].bytes = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    plan.target = id;
    plans.push_back(std::move(plan));
  }
  return plans;
}

Checked check_sensitivity(Session& session, const TrialPlan& base, const TrialResult& base_result,
                          const TrialPlan& changed, const TrialResult& changed_result) {
  KW_ASSIGN(std::optional<Verdict> verdict, check_values(session, changed, changed_result));
  if (verdict) return verdict;
  // Both are kept: the first trial's by every check that needs it, this one's by check_values.
  KW_ASSIGN(const auto* moved, session.oracle.expected(changed, session.stop));
  const std::vector<reference::Tensor> after = *moved;
  KW_ASSIGN(const auto* unmoved, session.oracle.expected(base, session.stop));
  const std::vector<reference::Tensor>& before = *unmoved;
  std::vector<OutputView> a, b;
  KW_ASSIGN(verdict, output_views(session, base_result, a));
  if (verdict) return verdict;
  KW_ASSIGN(verdict, output_views(session, changed_result, b));
  if (verdict) return verdict;
  double must = 0, kept = 0, stray = 0, deaf = 0;
  std::string where;
  for (std::size_t o = 0; o < before.size(); ++o) {
    const Value& value = session.task.graph.value(session.task.graph.outputs[o]);
    KW_ASSIGN(const auto got_before, reference::decode_tensor(value, a[o].bytes));
    KW_ASSIGN(const auto got_after, reference::decode_tensor(value, b[o].bytes));
    for (std::size_t i = 0; i < before[o].size(); ++i) {
      const double allowed = before[o].bound_at(i) + after[o].bound_at(i);
      if (std::fabs(before[o].value[i] - after[o].value[i]) > allowed) {
        ++must;
        if (got_before.value[i] == got_after.value[i] && deaf++ == 0) {
          where = fmt::format("{}[{}]", value.name, i);
        }
      } else if (before[o].value[i] == after[o].value[i] && allowed < reference::kUnjudged &&
                 before[o].bound_at(i) == after[o].bound_at(i)) {
        ++kept;
        if (got_before.value[i] != got_after.value[i] && stray++ == 0) {
          where = fmt::format("{}[{}]", value.name, i);
        }
      }
    }
  }
  const bool bitwise = session.task.determinism == Determinism::Bitwise;
  CheckRecord& record =
      session.record("V16." + changed.label, deaf == 0 && (stray == 0 || !bitwise), changed.seed);
  record.figures["must_change"] = must;
  record.figures["must_stay"] = kept;
  record.figures["strayed"] = stray;
  record.figures["deaf"] = deaf;
  record.notes["input"] = session.task.graph.value(changed.target).name;
  const std::map<std::string, std::string> witness{{"trial", changed.label},
                                                   {"seed", fmt::format("{}", changed.seed)}};
  if (deaf > 0) {
    return Verdict{"V16", RejectKind::WrongResult,
                   fmt::format("{} outputs kept their bits although an input element that reaches them "
                               "changed (first: {})",
                               deaf, where),
                   witness};
  }
  if (stray == 0 || !bitwise) return std::nullopt;
  return Verdict{"V16", RejectKind::WrongResult,
                 fmt::format("{} outputs changed bits although the changed input element does not "
                             "reach them (first: {})",
                             stray, where),
                 witness};
}

}  // namespace kw::verify

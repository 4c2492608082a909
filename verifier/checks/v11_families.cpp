// V11: which value families a task is tried with. Families that act on one operand (huge, denormal,
// non-finite) take turns over the operands, the others staying uniform, so that products stay in
// range and positions stay telling.

#include <algorithm>
#include <array>

#include "checks.h"
#include "kw/verify/roofline.h"

namespace kw::verify {
namespace {

double elements_of(const Graph& graph, const std::vector<ValueId>& ids) {
  double sum = 0;
  for (const ValueId id : ids) {
    sum += static_cast<double>(element_count(graph.value(id).shape).value_or(0));
  }
  return sum;
}

std::int64_t rows_of(const Value& value) {
  const std::int64_t all = element_count(value.shape).value_or(0);
  return value.shape.empty() ? 1 : all / std::max<std::int64_t>(value.shape.back(), 1);
}

/// At full size every trial moves gigabytes: coherent data where precision can hide, non-finite
/// data where positions can tell, and more where the buffers are small.
std::vector<Family> large_families(const Task& task) {
  const Graph& graph = task.graph;
  const double in = elements_of(graph, filled_values(graph));
  const double out = elements_of(graph, graph.outputs);
  const bool contracts = std::any_of(graph.nodes.begin(), graph.nodes.end(),
                                     [](const Node& node) { return is_contraction(node.op); });
  const bool reduces = out * 64 < in;
  std::vector<Family> families{contracts ? Family::Coherent
                               : reduces ? Family::Shifted
                                         : Family::NonFinite};
  if (in + out > 8e8) return families;
  families.push_back(contracts && !reduces ? Family::NonFinite : Family::Spiky);
  families.push_back(Family::RowScaled);
  return families;
}

}  // namespace

Result<std::vector<TrialPlan>> family_trials(Session& session) {
  constexpr std::array kEverywhere{Family::AsDrawn,  Family::Uniform,   Family::Normal,
                                   Family::Coherent, Family::Coherent,  Family::Shifted,
                                   Family::Spiky,    Family::RowScaled, Family::Constant};
  constexpr std::array kOneOperand{Family::Denormal, Family::Huge, Family::NonFinite};
  constexpr std::size_t kMaxTargets = 3;
  std::vector<TrialPlan> plans;
  if (!session.asked("V11")) return plans;
  const std::vector<ValueId> free = free_values(session.task);
  std::uint64_t number = 0;
  const auto add = [&](Family family, ValueId target, const std::string& suffix,
                       std::uint64_t special = 0) -> Status {
    const std::string label = std::string(to_string(family)) + suffix;
    std::uint64_t seed = session.seed_for("judge.family", number);
    if (family == Family::NonFinite) seed += (special + 3 - seed % 3) % 3;  // fill_element.cuh
    KW_ASSIGN(TrialPlan plan, plan_trial(session.task, label, family, target, seed));
    // A poison that is finite in every type: a NaN left in place must not pass for a computed one.
    if (family == Family::NonFinite) plan.poison = 0x5A;
    plan.schedule_seed = session.seed_for("judge.schedule", number);
    ++number;
    plans.push_back(std::move(plan));
    return {};
  };
  if (session.large) {
    for (const Family family : large_families(session.task)) {
      if (free.empty()) break;
      const bool one = family == Family::NonFinite;
      KW_RETURN_IF_ERROR(add(family, one ? free.front() : kNoValue, ""));
      if (!one) plans.back().poison = 0x7F;
    }
    return plans;
  }
  int again = 0;
  for (const Family family : kEverywhere) {
    const bool repeated = family == Family::Coherent && again++ > 0;
    if (family != Family::AsDrawn && free.empty()) continue;
    KW_RETURN_IF_ERROR(add(family, kNoValue, repeated ? ".2" : ""));
  }
  for (const Family family : kOneOperand) {
    for (std::size_t t = 0; t < std::min(free.size(), kMaxTargets); ++t) {
      const std::string& name = session.task.graph.value(free[t]).name;
      const std::string of = free.size() > 1 ? "." + name : "";
      KW_RETURN_IF_ERROR(add(family, free[t], of));
      if (family != Family::NonFinite || rows_of(session.task.graph.value(free[t])) >= 3) continue;
      KW_RETURN_IF_ERROR(add(family, free[t], of + ".inf", 1));
      KW_RETURN_IF_ERROR(add(family, free[t], of + ".minus_inf", 2));
    }
  }
  return plans;
}

}  // namespace kw::verify

// V11: which value families a task is tried with. Families that act on one operand (huge, denormal,
// non-finite) take turns over the operands, the others staying uniform, so that products stay in
// range and positions stay telling.

#include <algorithm>
#include <array>

#include "checks.h"

namespace kw::verify {

Result<std::vector<TrialPlan>> family_trials(Session& session) {
  constexpr std::array kEverywhere{Family::AsDrawn,  Family::Uniform,   Family::Normal,
                                   Family::Coherent, Family::Coherent,  Family::Shifted,
                                   Family::Spiky,    Family::RowScaled, Family::Constant};
  constexpr std::array kOneOperand{Family::Denormal, Family::Huge, Family::NonFinite};
  constexpr std::size_t kMaxTargets = 3;
  const std::vector<ValueId> free = free_values(session.task);
  std::vector<TrialPlan> plans;
  std::uint64_t number = 0;
  const auto add = [&](Family family, ValueId target, const std::string& suffix) -> Status {
    const std::string label = std::string(to_string(family)) + suffix;
    KW_ASSIGN(TrialPlan plan, plan_trial(session.task, label, family, target,
                                         session.seed_for("judge.family", number)));
    // A poison that is finite in every type: a NaN left in place must not pass for a computed one.
    if (family == Family::NonFinite) plan.poison = 0x5A;
    plan.schedule_seed = session.seed_for("judge.schedule", number);
    ++number;
    plans.push_back(std::move(plan));
    return {};
  };
  int again = 0;
  for (const Family family : kEverywhere) {
    const bool repeated = family == Family::Coherent && again++ > 0;
    if (family != Family::AsDrawn && free.empty()) continue;
    KW_RETURN_IF_ERROR(add(family, kNoValue, repeated ? ".2" : ""));
  }
  for (const Family family : kOneOperand) {
    for (std::size_t t = 0; t < std::min(free.size(), kMaxTargets); ++t) {
      const std::string& name = session.task.graph.value(free[t]).name;
      KW_RETURN_IF_ERROR(add(family, free[t], free.size() > 1 ? "." + name : ""));
    }
  }
  return plans;
}

}  // namespace kw::verify

// V3: inputs and weights are hashed before and after a trial (the virtual machine refuses the store
// itself). Only declared state may change.

#include "checks.h"

namespace kw::verify {

Checked check_inputs(Session& session, const TrialPlan& plan, const TrialResult& result) {
  if (!session.asked("V3")) return std::nullopt;
  const bool clean = result.modified_inputs.empty();
  CheckRecord& record = session.record("V3." + plan.label, clean, plan.seed);
  record.figures["modified_inputs"] = static_cast<double>(result.modified_inputs.size());
  if (clean) return std::nullopt;
  const std::string& name = result.modified_inputs.front();
  return Verdict{"V3", RejectKind::InputModified, fmt::format("changed its input '{}'", name),
                 replay_of(plan, name)};
}

}  // namespace kw::verify

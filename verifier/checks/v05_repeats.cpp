// V5: the same inputs again and again, in the virtual machine under other orders of warps and blocks.

#include "checks.h"

namespace kw::verify {

Checked check_repeats(Session& session, const TrialPlan& plan, const TrialResult& result) {
  if (!session.asked("V5")) return std::nullopt;
  const bool must = session.task.determinism == Determinism::Bitwise;
  CheckRecord& record =
      session.record("V5." + plan.label, result.repeats_equal || !must, plan.seed);
  record.figures["repeats"] = plan.repeats;
  record.figures["equal"] = result.repeats_equal ? 1 : 0;
  if (result.repeats_equal || !must) return std::nullopt;
  return Verdict{"V5", RejectKind::Nondeterministic,
                 fmt::format("{} runs on the same inputs differ, and the task asks for equal bits",
                             plan.repeats),
                 {{"trial", plan.label}, {"seed", fmt::format("{}", plan.seed)}}};
}

}  // namespace kw::verify

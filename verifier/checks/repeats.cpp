// V4 and V5: the same inputs again, in other buffers and under other schedules.

#include <algorithm>

#include "checks.h"

namespace kw::verify {

Checked check_repeats(Session& session, const TrialPlan& plan, const TrialResult& result) {
  const bool must = session.task.determinism == Determinism::Bitwise;
  CheckRecord& record =
      session.record("V5." + plan.label, result.repeats_equal || !must, plan.seed);
  record.figures["repeats"] = plan.repeats;
  record.figures["equal"] = result.repeats_equal ? 1 : 0;
  if (result.repeats_equal || !must) return std::nullopt;
  return Verdict{RejectKind::Nondeterministic,
                 fmt::format("{} runs on the same inputs differ, and the task asks for equal bits",
                             plan.repeats),
                 {{"trial", plan.label}, {"seed", fmt::format("{}", plan.seed)}}};
}

Checked check_same(Session& session, const TrialPlan& plan, const TrialResult& first,
                   const TrialResult& again) {
  std::vector<OutputView> a, b;
  KW_ASSIGN(std::optional<Verdict> missing, output_views(session, first, a));
  if (missing) return missing;
  KW_ASSIGN(missing, output_views(session, again, b));
  if (missing) return missing;
  bool equal = true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    equal = equal &&
            std::equal(a[i].bytes.begin(), a[i].bytes.end(), b[i].bytes.begin(), b[i].bytes.end());
  }
  const bool must = session.task.determinism == Determinism::Bitwise;
  CheckRecord& record = session.record("V4." + plan.label, equal || !must, plan.seed);
  record.figures["equal"] = equal ? 1 : 0;
  if (equal || !must) return std::nullopt;
  return Verdict{
      RejectKind::Nondeterministic,
      "the same inputs in other buffers gave other bits, and the task asks for equal bits",
      {{"trial", plan.label}, {"seed", fmt::format("{}", plan.seed)}}};
}

}  // namespace kw::verify

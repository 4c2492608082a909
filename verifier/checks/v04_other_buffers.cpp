// V4: the same inputs in other buffers, first and last of all calls: nothing may hang on an address
// or on what was called before.

#include <algorithm>

#include "checks.h"

namespace kw::verify {

Checked check_same(Session& session, const TrialPlan& plan, const TrialResult& first,
                   const TrialResult& again) {
  if (!session.asked("V4")) return std::nullopt;
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
      "V4", RejectKind::Nondeterministic,
      "the same inputs in other buffers gave other bits, and the task asks for equal bits",
      {{"trial", plan.label}, {"seed", fmt::format("{}", plan.seed)}}};
}

}  // namespace kw::verify

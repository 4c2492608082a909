// V4 in timing: one timed run, chosen by the seed, works on poisoned outputs and must leave what was
// judged. A kernel that knows when it is being timed is found here.

#include "checks.h"

namespace kw::verify {

Checked check_timed_run(Session& session, const RunReply& reply, bool repeats_equal) {
  const auto found = reply.counters.find("timed_run_as_judged");
  if (!reply.timing || found == reply.counters.end() || !session.asked("V4")) return std::nullopt;
  const bool same = found->second > 0;
  CheckRecord& record = session.record("V4.timed_run", same || !repeats_equal, 0);
  record.figures["same_bits"] = same ? 1 : 0;
  if (!repeats_equal) record.notes["order"] = "judged runs differ among themselves, as the task allows";
  if (record.passed) return std::nullopt;
  return Verdict{"V4", RejectKind::Quarantined, "a timed run gave other bits than the judged run", {}};
}

}  // namespace kw::verify

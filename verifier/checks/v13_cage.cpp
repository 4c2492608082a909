// V13: the candidate ran in a process of its own that could start nothing, open nothing and talk to nobody,
// and the parent computes the verdict from bytes that nobody can change any more. A runner that was not
// caged is no witness.

#include "checks.h"

namespace kw::verify {

Checked check_cage(Session& session, const RunReply& reply) {
  if (!session.asked("V13")) return std::nullopt;
  CheckRecord& record = session.record("V13.cage", reply.cage.confined, 0);
  record.notes["system_calls"] = reply.cage.confined ? "filtered" : "not filtered";
  record.notes["process_tree"] = reply.cage.own_namespace ? "PID namespace" : "walked";
  if (reply.cage.confined) return std::nullopt;
  return Verdict{"V13", RejectKind::NotVerifiable,
                 "the runner was not caged (no system-call filter): what it says is worth nothing",
                 {}};
}

}  // namespace kw::verify

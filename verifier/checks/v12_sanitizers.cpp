// V12: out of bounds, uninitialised reads, races, barriers, alignment. The virtual machine looks at every
// access of every trial, and at races in those that ask for it. A GPU sees little of that, so a candidate
// that is judged on one runs in the virtual machine as well where its shapes allow.

#include "checks.h"
#include "vm_device.h"

namespace kw::verify {
namespace {

std::string check_of(RejectKind kind) {
  switch (kind) {
    case RejectKind::OutOfBounds:
    case RejectKind::Race:
    case RejectKind::Uninitialised:
    case RejectKind::BarrierDivergence:
    case RejectKind::Misaligned:
      return "V12";
    case RejectKind::InputModified:
      return "V3";
    case RejectKind::Timeout:
      return "V13";
    case RejectKind::LaunchError:
      return "V8";
    case RejectKind::WrongResult:
      return "V10";
    case RejectKind::RejectedByPolicy:
    case RejectKind::CompileError:
      return "V7";
    case RejectKind::Nondeterministic:
      return "V5";
    case RejectKind::Impossible:
      return "V9";
    case RejectKind::NotVerifiable:
    case RejectKind::Quarantined:
      return "V13";
  }
  return "";
}

}  // namespace

Verdict from_fault(const RunFault& fault) {
  return {check_of(fault.kind), fault.kind, fault.reason, fault.witness};
}

bool sanitized_here(const Session& session) {
  return session.device.identity().klass == "ptxvm";
}

/// `plans` are the trials of the first look.
Checked check_sanitizers(Session& session, const std::vector<TrialPlan>& plans) {
  if (!session.asked("V12") || sanitized_here(session)) return std::nullopt;
  KW_ASSIGN(const std::unique_ptr<Device> machine, open_vm_device());
  RunRequest request;
  request.module = session.module;
  request.plan = session.candidate.plan;
  for (const TrialPlan& plan : plans) {
    request.trials.push_back(plan.trial());
    request.trials.back().thorough = true;
  }
  KW_ASSIGN(request.deadline, session.time_left());
  request.seed = session.seed_for("judge.sanitizer");
  KW_ASSIGN(const RunReply reply, machine->run(request, session.stop));
  CheckRecord& record = session.record("V12.virtual_machine", !reply.fault, request.seed);
  record.figures["trials"] = static_cast<double>(reply.trials.size());
  if (!reply.fault) return std::nullopt;
  // What the machine cannot run (tensor maps, instructions of this GPU alone, more time than there is)
  // stays unchecked, and the evidence says so.
  const RejectKind kind = reply.fault->kind;
  if (kind == RejectKind::NotVerifiable || kind == RejectKind::Timeout || kind == RejectKind::LaunchError) {
    record.passed = true;
    record.notes["not_verifiable"] = reply.fault->reason;
    return std::nullopt;
  }
  return from_fault(*reply.fault);
}

}  // namespace kw::verify

// The process that holds the virtual machine.

#include <thread>

#include "kw/process/confine.h"
#include "kw/verify/roles.h"
#include "vm_trial.h"

namespace kw::verify {

namespace {

Result<RunnerReply> run_task(RunnerTask& task, const launch::BoundPlan& plan, unsigned threads) {
  const auto program = ptxvm::load(task.request.code);
  if (!program) {
    RunnerReply reply;
    reply.fault = RunFault{RejectKind::NotVerifiable,
                           "the virtual machine cannot load this PTX: " + program.error().message,
                           {}};
    return reply;
  }
  return VmTrials(task, plan, **program, threads).run();
}

Status serve_one(process::Channel& channel) {
  KW_ASSIGN(process::Message message, channel.receive());
  KW_ASSIGN(RunnerTask task, receive_task(channel, std::move(message)));
  KW_ASSIGN(const launch::BoundPlan plan, launch::bind(task.plan, {.limits = task.request.limits}));
  const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  // From here on a stranger's PTX is read.
  KW_RETURN_IF_ERROR(process::confine(process::Confinement::Compute));
  KW_RETURN_IF_ERROR(channel.send(kStarted, {}));
  KW_ASSIGN(const RunnerReply reply, run_task(task, plan, threads));
  return channel.send(kDone, encode(reply));
}

int serve(process::Channel& channel) {
  const Status status = serve_one(channel);
  if (status) return 0;
  return channel.send(kBroken, status.error().message) ? 3 : 3;
}

}  // namespace

process::Role vm_role() { return {"ptxvm", serve}; }

}  // namespace kw::verify

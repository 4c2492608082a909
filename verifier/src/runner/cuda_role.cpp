// The process that drives a GPU: one candidate, one context, then the end.

#include "cuda_fault.h"
#include "cuda_timing.h"
#include "facts_wire.h"
#include "kw/process/confine.h"
#include "kw/verify/roles.h"

namespace kw::verify {

namespace {

Result<launch::DeviceFacts> facts_of(int ordinal) {
  KW_ASSIGN(const cu::Table* api, launch::load_driver());
  return launch::device_facts(*api, ordinal);
}

/// Trials, then timing if it was asked for and the trials found no fault.
Result<RunnerReply> run_candidate(CudaSession& session, RunnerTask& task, GpuClock& clock) {
  const RunnerRequest& request = task.request;
  RunnerReply refused;
  auto module = launch::load_module(session.api(), request.code);
  if (!module) {
    refused.fault = fault_of_launch(wrap(module.error(), "loading the cubin").value());
    return refused;
  }
  auto kernels = launch::Kernels::find(session.api(), module->get(), task.plan);
  if (!kernels) {
    refused.fault = fault_of_launch(kernels.error());
    return refused;
  }
  launch::BindOptions options{.limits = request.limits};
  options.occupancy = [&](const std::string& kernel, std::int64_t threads, std::int64_t shared) {
    return kernels->occupancy(kernel, threads, shared);
  };
  const auto plan = launch::bind(task.plan, options);
  if (!plan) {
    refused.fault = fault_of_plan(plan.error());
    return refused;
  }
  CudaTrials trials(session, task, *plan, *kernels);
  KW_ASSIGN(RunnerReply reply, trials.run());
  if (reply.fault || !request.timing) return reply;
  auto timed = CudaTimer(session, trials, request, clock).run();
  if (timed) {
    reply.timing = std::move(timed->timing);
    reply.counters.insert(timed->counters.begin(), timed->counters.end());
  } else {
    reply.fault = fault_of_launch(wrap(timed.error(), "timing").value());
  }
  return reply;
}

Status serve_run(process::Channel& channel, const std::string& greeting) {
  const auto [ordinal, helper_cubin] = decode_opening(greeting);
  KW_ASSIGN(const std::unique_ptr<CudaSession> session, CudaSession::open(ordinal, helper_cubin));
  KW_ASSIGN(const launch::DeviceFacts facts, launch::device_facts(session->api(), ordinal));
  GpuClock clock(facts.uuid);
  KW_ASSIGN(GpuLock lock, GpuLock::open(facts.uuid));
  // Ready; whose turn it is may come much later.
  KW_ASSIGN(process::Message message, channel.receive());
  KW_ASSIGN(RunnerTask task, receive_task(channel, std::move(message)));
  const RunnerRequest& request = task.request;
  // Before the deadline begins: waiting for another's timing is nobody's fault.
  if (request.timing) KW_RETURN_IF_ERROR(lock.acquire());
  // The driver has opened what it needs; from here on a stranger's cubin is loaded.
  KW_RETURN_IF_ERROR(process::confine(process::Confinement::GpuDriver));
  KW_RETURN_IF_ERROR(channel.send(kStarted, {}));
  KW_ASSIGN(const RunnerReply reply, run_candidate(*session, task, clock));
  return channel.send(kDone, encode(reply));
}

Status serve_one(process::Channel& channel) {
  KW_ASSIGN(process::Message message, channel.receive());
  if (message.type == kOpen) return serve_run(channel, message.body);
  if (message.type != kProbe) return fail(Errc::Internal, "a runner got message {}", message.type);
  KW_ASSIGN(const launch::DeviceFacts facts, facts_of(decode_ordinal(message.body)));
  return channel.send(kFacts, encode(facts));
}

int serve(process::Channel& channel) {
  const Status status = serve_one(channel);
  if (status) return 0;
  return channel.send(kBroken, status.error().message) ? 3 : 3;
}

}  // namespace

process::Role cuda_role() { return {"cuda", serve}; }

}  // namespace kw::verify

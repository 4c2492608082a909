#pragma once
// The parent's side of one run: a fresh process, its memory files, its deadline.

#include <string>

#include "kw/process/child.h"
#include "kw/process/shared_memory.h"
#include "messages.h"

namespace kw::verify {

struct RunnerSetup {
  std::string role;
  process::ChildOptions child;
  launch::PlanLimits limits;
  /// What every process of this kind is told first (kOpen); empty: nothing.
  std::string greeting;
  /// A process started and greeted ahead of its run, which gets ready meanwhile. One run each.
  std::optional<process::Child>* spare = nullptr;
  bool wants_cubin = false;
  /// Host memory that the process may hold for itself; looked at while waiting. 0: no watch.
  std::uint64_t resident_limit = 0;
  RejectKind death = RejectKind::LaunchError;  // what it means when the process just dies
  DeviceIdentity identity;
};

/// A process of the kind, greeted.
Result<process::Child> start_runner(const RunnerSetup& setup);

/// Runs `request` in a process of its own and takes it down afterwards. A plan that does not bind
/// and a process that dies, hangs or grows are RunFaults.
Result<RunReply> run_in_process(const RunRequest& request, const RunnerSetup& setup,
                                const std::stop_token& stop);

struct ByteRange {
  std::size_t first = 0, count = 0;
};

/// The runner's side: what it is told, with the memory files mapped.
struct RunnerTask {
  RunnerRequest request;
  LaunchPlan plan;
  std::vector<std::size_t> output_buffers;
  process::SharedMemory given;
  std::vector<ByteRange> places;               // of output_buffers in a trial's file
  std::vector<process::SharedMemory> outputs;  // one file a trial

  std::span<std::byte> output(std::size_t trial, std::size_t index) {
    return outputs[trial].bytes().subspan(places[index].first, places[index].count);
  }
};
/// Reads kFiles messages up to the kRun that `message` is or will be.
Result<RunnerTask> receive_task(process::Channel& channel, process::Message message);

/// RunFault of a plan that cannot be bound here.
RunFault fault_of_plan(const Error& error);

}  // namespace kw::verify

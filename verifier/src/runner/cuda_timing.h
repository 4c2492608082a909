#pragma once
// How long a run takes on a GPU.

#include "cuda_trial.h"
#include "gpu_clock.h"

namespace kw::verify {

struct TimingOutcome {
  Timing timing;
  std::map<std::string, double> counters;
};

/// Event timing of whole runs, after warm-up. With a cold L2, a buffer twice its size is read
/// before every run (read, not written: a fill leaves dirty lines whose write-back the next run
/// would pay). Runs under 100 us are repeated inside one event pair; with a cold L2 the reads
/// between them are timed in a pair of their own and subtracted. The protocol's name says which:
/// "event.coldl2.v1", "event.coldl2.repeat8.v1", "event.warm.v1". One sample, chosen by the seed,
/// runs on poisoned outputs and is compared with what was judged (counter "timed_run_as_judged";
/// not for tasks with state). Returns a fault when the context dies.
class CudaTimer {
 public:
  CudaTimer(CudaSession& session, CudaTrials& trials, const RunnerRequest& request, GpuClock& clock)
      : session_(session), trials_(trials), request_(request), clock_(clock) {}
  Result<TimingOutcome> run();

 private:
  Status prepare();
  Status enqueue_run();
  Status enqueue_flush();
  /// Microseconds of the work that `enqueue` puts between two events.
  template <typename Enqueue>
  Result<double> timed(Enqueue&& enqueue);
  Result<double> sample();
  Status check_sample();
  /// Stream time of a few runs, and host time until the whole device is idle.
  Status compare_clocks();
  /// One run launched node by node: counters "kernel_us.ENTRY", each entry's launches added up.
  Status time_kernels();

  CudaSession& session_;
  CudaTrials& trials_;
  const RunnerRequest& request_;
  GpuClock& clock_;
  launch::Event begin_, end_;
  launch::GraphExec graph_;
  launch::DeviceMemory flush_;
  std::uint64_t flush_bytes_ = 0;
  int repeats_ = 1;
  TimingOutcome out_;
};

}  // namespace kw::verify

#pragma once
// A bound plan on a GPU: trials, and the state that timing continues from.

#include <vector>

#include "cuda_session.h"
#include "kw/core/random.h"
#include "kw/launch/launcher.h"
#include "messages.h"
#include "runner_process.h"

namespace kw::verify {

class CudaTrials {
 public:
  CudaTrials(CudaSession& session, RunnerTask& task, const launch::BoundPlan& plan,
             const launch::Kernels& kernels)
      : session_(session), task_(task), request_(task.request), plan_(plan), kernels_(kernels) {}

  /// Runs trials until one fails. Errors are ours.
  Result<RunnerReply> run();

  // ---- for timing, after run() without a fault
  launch::Launcher& launcher() { return *launcher_; }
  double setup_us() const noexcept { return setup_us_; }
  Status poison_outputs(std::uint8_t value);
  /// Whether the outputs are now those of the last trial's last run.
  Result<bool> outputs_as_judged();
  bool has_state() const;
  double buffer_bytes() const;

 private:
  /// An allocation with room to move in: [low guard | data | high guard].
  struct Slot {
    launch::DeviceMemory memory;
    std::uint64_t capacity = 0;
    DeviceRange data;
  };

  Result<TrialSummary> run_trial(std::size_t index);
  Status allocate();
  Status place(std::size_t index);
  Status fill_inputs(std::size_t index, bool state_only);
  Status poison(std::uint8_t value, bool persistent_too);
  Status keep_outputs(std::size_t index);
  Status run_setup();
  Status run_once();
  std::vector<DeviceRange> ranges_of(bool outputs) const;
  Result<std::vector<std::string>> broken_guards();
  DeviceRange low_guard(const Slot& slot) const;
  DeviceRange high_guard(const Slot& slot) const;

  CudaSession& session_;
  RunnerTask& task_;
  const RunnerRequest& request_;
  const launch::BoundPlan& plan_;
  const launch::Kernels& kernels_;

  std::vector<Slot> slots_;  // per buffer; only roots have memory
  std::optional<launch::Launcher> launcher_;
  std::vector<std::uint64_t> output_hashes_;
  double setup_us_ = 0;
  RunnerReply reply_;
};

}  // namespace kw::verify

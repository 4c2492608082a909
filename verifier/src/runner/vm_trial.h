#pragma once
// A bound plan in the PTX virtual machine.

#include <map>
#include <string>
#include <vector>

#include "kw/launch/bound_plan.h"
#include "kw/ptxvm/run.h"
#include "messages.h"
#include "runner_process.h"

namespace kw::verify {

/// Runs the trials of one request. Not thread-safe; the virtual machine itself uses `threads`.
class VmTrials {
 public:
  VmTrials(RunnerTask& task, const launch::BoundPlan& plan, const ptxvm::Program& program,
           unsigned threads)
      : task_(task), request_(task.request), plan_(plan), program_(program), threads_(threads) {}

  /// Stops at the first fault. Errors are ours.
  Result<RunnerReply> run();

 private:
  Result<TrialSummary> run_trial(std::size_t index);
  Status protect_variables();
  Status place_buffers(std::size_t index);
  Status fill_inputs(std::size_t index, bool state_only);
  Status poison(std::uint8_t value, bool persistent_too);
  Status apply_fills(BufferInit when);
  Status run_nodes(const std::vector<launch::BoundNode>& nodes);
  Status run_kernel(const launch::BoundKernel& kernel, const std::string& place);
  Status fill_range(const launch::BoundPointer& where, std::int64_t bytes, std::uint8_t value);
  Result<std::vector<std::byte>> parameter_block(const launch::BoundKernel& kernel,
                                                 const ptxvm::KernelInfo& info);
  /// Copies outputs into the trial's files, or compares them with these.
  Status keep_outputs(std::size_t index);
  bool outputs_equal(std::size_t index);
  void note(const ptxvm::Finding& finding, const std::string& place);
  void note(RejectKind kind, std::string reason);

  RunnerTask& task_;
  const RunnerRequest& request_;
  const launch::BoundPlan& plan_;
  const ptxvm::Program& program_;
  unsigned threads_;

  ptxvm::Memory memory_;
  std::vector<std::uint64_t> addresses_;  // per buffer; roots only
  std::uint64_t schedule_seed_ = 0;
  bool thorough_ = false;
  RunnerReply reply_;
};

/// What a finding of the virtual machine means for a candidate.
RejectKind reject_kind(ptxvm::FindingKind kind) noexcept;

}  // namespace kw::verify

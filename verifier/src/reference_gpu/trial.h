#pragma once
// One trial judged on a device: inputs drawn there again, the graph evaluated slice by slice, the
// candidate's output compared where the reference lies.

#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "accelerator.h"
#include "oracle.h"

namespace kw::verify::gpu {

/// CUDA source of the module that the accelerator must have loaded.
std::string reference_source();

/// `outputs` as in Oracle::judge. Errors: Unsupported for graphs or buffers that have no reference
/// here; ResourceExhausted when one slice does not fit.
Result<TrialVerdict> judge_trial(Accelerator& device, const Task& task, const TrialPlan& plan,
                                 const std::vector<std::span<const std::byte>>& outputs,
                                 std::stop_token stop);

/// Bytes of device memory that one slice may take; for tests. 0: decided by the device's capacity.
void set_slice_budget(std::size_t bytes);

}  // namespace kw::verify::gpu

#pragma once
// The reference process of one judge: started when the first large task comes, kept warm.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

#include "kw/core/interfaces.h"
#include "kw/verify/device.h"
#include "oracle.h"
#include "reference_process.h"

namespace kw::verify {

/// Thread-safe; one trial is judged at a time.
class GpuReference {
 public:
  GpuReference(Compiler& compiler, const Device& device) : compiler_(compiler), device_(device) {}

  /// An oracle that asks the process. `task` and this object outlive it.
  std::unique_ptr<Oracle> oracle(const Task& task, std::chrono::steady_clock::time_point deadline);

 private:
  class Asking;
  Result<TrialVerdict> judge(const Task& task, const TrialPlan& plan,
                             const std::vector<OutputView>& outputs,
                             std::chrono::steady_clock::time_point deadline, std::stop_token stop);
  Status start(std::chrono::milliseconds left, std::stop_token stop);

  Compiler& compiler_;
  const Device& device_;
  std::mutex mutex_;
  std::string cubin_;                        // guarded by mutex_
  std::optional<ReferenceProcess> process_;  // guarded by mutex_
};

}  // namespace kw::verify

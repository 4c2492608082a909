#pragma once
// The parent's end of the reference process.

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "oracle.h"

namespace kw::verify {

class ReferenceProcess {
 public:
  /// Starts the process, which opens the GPU and loads the module. Errors: Unavailable.
  static Result<ReferenceProcess> start(const std::string& uuid, const std::string& cubin,
                                        std::chrono::milliseconds deadline, std::stop_token stop);
  ReferenceProcess(ReferenceProcess&&) noexcept;
  ReferenceProcess& operator=(ReferenceProcess&&) noexcept;
  ~ReferenceProcess();

  /// Errors: those of gpu::judge_trial, and of a process that died.
  Result<TrialVerdict> judge(const Task& task, const TrialPlan& plan,
                             const std::vector<OutputView>& outputs,
                             std::chrono::milliseconds deadline, std::stop_token stop);

 private:
  struct Impl;
  explicit ReferenceProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kw::verify

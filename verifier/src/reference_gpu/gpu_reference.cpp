#include "gpu_reference.h"

#include "trial.h"

namespace kw::verify {

class GpuReference::Asking final : public Oracle {
 public:
  Asking(GpuReference& reference, const Task& task, std::chrono::steady_clock::time_point deadline)
      : reference_(reference), task_(task), deadline_(deadline) {}
  Result<TrialVerdict> judge(const TrialPlan& plan, const std::vector<OutputView>& outputs,
                             std::stop_token stop) override {
    return reference_.judge(task_, plan, outputs, deadline_, stop);
  }

 private:
  GpuReference& reference_;
  const Task& task_;
  std::chrono::steady_clock::time_point deadline_;
};

std::unique_ptr<Oracle> GpuReference::oracle(const Task& task,
                                             std::chrono::steady_clock::time_point deadline) {
  return std::make_unique<Asking>(*this, task, deadline);
}

Status GpuReference::start(std::chrono::milliseconds left, std::stop_token stop) {
  if (cubin_.empty()) {
    KW_ASSIGN(const CompileResult compiled,
              compiler_.compile({gpu::reference_source(), device_.arch(), {}}, stop));
    const auto* module = std::get_if<CompiledModule>(&compiled);
    if (module == nullptr) {
      const auto& failure = std::get<CompileFailure>(compiled);
      return fail(Errc::Internal, "the reference's kernels do not compile: {}",
                  failure.diagnostics.empty() ? "no diagnostic" : failure.diagnostics[0].text);
    }
    cubin_ = module->cubin;
  }
  KW_ASSIGN(process_, ReferenceProcess::start(device_.identity().uuid, cubin_, left, stop));
  return {};
}

Result<TrialVerdict> GpuReference::judge(const Task& task, const TrialPlan& plan,
                                         const std::vector<OutputView>& outputs,
                                         std::chrono::steady_clock::time_point deadline,
                                         std::stop_token stop) {
  const std::scoped_lock lock(mutex_);
  const auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(deadline -
                                                                 std::chrono::steady_clock::now());
  };
  const bool fresh = !process_;
  if (fresh) KW_RETURN_IF_ERROR(start(left(), stop));
  auto verdict = process_->judge(task, plan, outputs, left(), stop);
  if (!verdict && verdict.error().code == Errc::Unavailable && !fresh) {
    // It had ended before it was asked: nobody else's end may cost this candidate its verdict.
    KW_RETURN_IF_ERROR(start(left(), stop));
    verdict = process_->judge(task, plan, outputs, left(), stop);
  }
  // After anything but a plain refusal the process is in no known state.
  if (!verdict && verdict.error().code != Errc::Unsupported) process_.reset();
  return verdict;
}

}  // namespace kw::verify

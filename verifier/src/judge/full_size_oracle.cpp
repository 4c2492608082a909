#include "full_size_oracle.h"

#include <chrono>

namespace kw::verify {
namespace {

double milliseconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun)
      .count();
}

/// Adds up what references cost.
class TimedOracle final : public Oracle {
 public:
  TimedOracle(std::unique_ptr<Oracle> oracle, double& spent_ms)
      : oracle_(std::move(oracle)), spent_ms_(spent_ms) {}
  Result<TrialVerdict> judge(const TrialPlan& plan, const std::vector<OutputView>& outputs,
                             std::stop_token stop) override {
    const auto begun = std::chrono::steady_clock::now();
    auto verdict = oracle_->judge(plan, outputs, stop);
    spent_ms_ += milliseconds_since(begun);
    return verdict;
  }
  Result<const std::vector<reference::Tensor>*> expected(const TrialPlan& plan,
                                                         std::stop_token stop) override {
    const auto begun = std::chrono::steady_clock::now();
    auto outputs = oracle_->expected(plan, stop);
    spent_ms_ += milliseconds_since(begun);
    return outputs;
  }

 private:
  std::unique_ptr<Oracle> oracle_;
  double& spent_ms_;
};

/// The GPU's reference where its kernels cover the graph, the CPU's interpreter for the rest of
/// what is small enough for it.
class FullSizeOracle final : public Oracle {
 public:
  FullSizeOracle(const Task& task, std::unique_ptr<Oracle> device)
      : affordable_(reference_cost(task) <= kCpuReferenceCost),
        device_(std::move(device)),
        cpu_(make_cpu_oracle(task)) {}

  Result<TrialVerdict> judge(const TrialPlan& plan, const std::vector<OutputView>& outputs,
                             std::stop_token stop) override {
    if (!refused_) {
      auto verdict = device_->judge(plan, outputs, stop);
      refused_ = !verdict && verdict.error().code == Errc::Unsupported && affordable_;
      if (!refused_) return verdict;
    }
    return cpu_->judge(plan, outputs, stop);
  }

 private:
  const bool affordable_;
  bool refused_ = false;
  std::unique_ptr<Oracle> device_;
  std::unique_ptr<Oracle> cpu_;
};

}  // namespace

std::unique_ptr<Oracle> make_full_size_oracle(const Task& task, std::unique_ptr<Oracle> device) {
  return std::make_unique<FullSizeOracle>(task, std::move(device));
}

std::unique_ptr<Oracle> make_timed_oracle(std::unique_ptr<Oracle> oracle, double& spent_ms) {
  return std::make_unique<TimedOracle>(std::move(oracle), spent_ms);
}

}  // namespace kw::verify

#pragma once
// What the right answer is. The judge asks; the CPU interpreter answers for small tasks, a trusted
// process with a GPU for large ones.

#include <memory>
#include <stop_token>
#include <vector>

#include "compare.h"
#include "kw/core/task.h"
#include "trial_plan.h"

namespace kw::verify {

/// Verdict over one trial: a comparison for every graph output.
struct TrialVerdict {
  std::vector<Comparison> outputs;
  bool passed() const;
  std::int64_t judged() const;
  std::int64_t finite() const;
  double worst() const;
  /// Index of the first output that failed, or of the worst.
  std::size_t culprit() const;
};

/// The bytes of one output, and the memfd that holds them (-1 if none does).
struct OutputView {
  std::span<const std::byte> bytes;
  int fd = -1;
  std::size_t mapped = 0;  // size of the memfd
  std::size_t first = 0;   // of `bytes` in it
};

class Oracle {
 public:
  virtual ~Oracle() = default;
  /// `outputs` are the graph's, in order. Errors are ours.
  virtual Result<TrialVerdict> judge(const TrialPlan& plan, const std::vector<OutputView>& outputs,
                                     std::stop_token stop) = 0;
  /// The graph's outputs for a trial's inputs, with their bounds, where they fit this process's
  /// memory. Valid until the next call. Unsupported where a device keeps them.
  virtual Result<const std::vector<reference::Tensor>*> expected(const TrialPlan& plan,
                                                                 std::stop_token stop);
};

/// Multiply-adds and element visits that the CPU interpreter would need.
double reference_cost(const Task& task);
/// Tasks above this are judged on a device, with fewer trials.
inline constexpr double kLargeCost = 8e6;
/// What the CPU interpreter may be asked for at full size, in the same units: seconds on a few
/// cores.
inline constexpr double kCpuReferenceCost = 1e9;

/// Terms of the longest contraction or sum that feeds output `index` directly, for the statistics
/// of its mean error; 1 if there is none.
double contraction_length(const Graph& graph, std::size_t index);

/// Whether every operator of the task computes under `ieee`: one class of operators that rounds its
/// operands (convolutions under `tf32` with FP32 products) shifts the mean of what it feeds by as
/// much as its few weights happen to be rounded to one side.
bool all_ieee(const Task& task);

/// Whether a biased mean error says that an output was accumulated with truncation: under `ieee`,
/// unless few values make honest sums biased. So does one long chain over terms that share their
/// low bits, as coherent ones do; products of two operands do not.
bool mean_tells(const Task& task, const TrialPlan& plan, std::size_t index);

/// How output `index` of a trial is compared: the one rule of the CPU's and the GPU's references.
CompareRules rules_for(const Task& task, const TrialPlan& plan, std::size_t index);

/// The interpreter in this process, on `threads` threads (0: one per CPU). `task` outlives the
/// oracle. What it worked out for the last few trials it keeps. Not thread-safe.
std::unique_ptr<Oracle> make_cpu_oracle(const Task& task, unsigned threads = 0);

}  // namespace kw::verify

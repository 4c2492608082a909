#pragma once
// What the results of a suite add up to.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/outcome.h"

namespace kw::bench {

/// What solving a task shows (verification.md, section 5).
enum class TaskClass {
  Genuine,
  Algebraic,   // algebra legally removes most of the work
  Degenerate,  // zeros, a constant or a skipped reduction would pass: not sound
};
std::string_view to_string(TaskClass klass) noexcept;
std::optional<TaskClass> parse_task_class(std::string_view text) noexcept;

/// The class that the judge's check V14 recorded, at the shapes that were judged; Genuine without it.
TaskClass class_of(const Outcome& outcome);

/// Times of PyTorch, in milliseconds (kernelbench/python/baseline.py).
struct Baseline {
  std::optional<double> eager_ms;          // at the task's policy
  std::optional<double> compile_ms;        // torch.compile, at the task's policy
  std::optional<double> eager_default_ms;  // as PyTorch ships
  double eager_spread = 0;                 // (p90 - p10) / median
  double compile_spread = 0;
  std::string error;  // why something is missing
};

struct TaskResult {
  std::string task;
  Outcome outcome = Rejected{RejectKind::NotVerifiable, "not run", {}, {}};
  std::string policy;  // in effect (kw::policy_in_effect) when it was judged; empty: not recorded
  TaskClass klass = TaskClass::Genuine;
  std::string kernel;  // what solved it: "memory", "templates", "model NAME"; may be empty
  double seconds = 0;  // from the request to the answer
  /// Of those: writing candidates, compiling them, judging and timing.
  double generate_s = 0, compile_s = 0, judge_s = 0;
  std::vector<std::string> refused;  // what was wrong with candidates tried before
  std::optional<Baseline> baseline;

  bool solved() const { return passed(outcome); }
  bool sound() const { return klass != TaskClass::Degenerate; }
  /// Median time, when the task was solved and timed.
  std::optional<double> ms() const;
  /// Roofline floor, when the task was timed and has one.
  std::optional<double> floor_ms() const;
};

enum class Against { Eager, Compile, EagerDefault };
std::string_view to_string(Against against) noexcept;

/// Baseline time over our time; nullopt unless both are known and positive.
std::optional<double> speedup(const TaskResult& result, Against against);

/// KernelBench's thresholds of fast_p, and 1.2.
inline constexpr double kFastThresholds[] = {0, 0.5, 0.8, 1, 1.2, 1.5, 2};

struct Score {
  std::size_t tasks = 0;
  std::size_t solved = 0;
  std::size_t with_baseline = 0;  // the denominator of fast_p
  /// fast_p: the share of the tasks with a baseline that are solved and faster than p times it,
  /// strictly, as KernelBench counts. Empty when no task has a baseline.
  std::map<double, double> fast_p;
  /// Geometric mean of the speedups of solved tasks; nullopt when there is none.
  std::optional<double> geometric_mean;
};

/// Over all results, or over the sound ones only.
Score score(std::span<const TaskResult> results, Against against, bool sound_only);

}  // namespace kw::bench

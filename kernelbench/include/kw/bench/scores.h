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
  Unknown,     // not asked, or too large to be asked before something passes
};
std::string_view to_string(TaskClass klass) noexcept;
std::optional<TaskClass> parse_task_class(std::string_view text) noexcept;

/// The class that the judge's check V14 recorded, at the shapes that were judged; Genuine without
/// it.
TaskClass class_of(const Outcome& outcome);

/// What a kernel is held against: ways to run the same model under PyTorch, at the task's policy
/// but for the last.
enum class Against {
  Eager,
  Graph,         // eager, captured in a CUDA graph: without the cost of launching
  Library,       // the fastest of cuBLAS's, cuBLASLt's and cuDNN's own choices
  Compile,       // torch.compile
  EagerDefault,  // as PyTorch ships
};
inline constexpr Against kAgainst[] = {Against::Eager, Against::Graph, Against::Library,
                                       Against::Compile, Against::EagerDefault};
/// "eager", "graph", "library", "compile", "eager_default".
std::string_view to_string(Against against) noexcept;

/// Times of PyTorch (kernelbench/python/baseline.py).
struct Baseline {
  struct Time {
    double ms = 0;      // median
    double spread = 0;  // (p90 - p10) / median
  };
  std::map<Against, Time> times;
  std::string library;        // that was fastest: "cuBLASLt"
  bool library_only = false;  // the model does nothing but call it
  std::string error;          // why something is missing

  std::optional<double> ms(Against against) const;
  /// The fastest at the task's policy.
  std::optional<double> best_ms() const;
};

struct TaskResult {
  std::string task;
  Outcome outcome = Rejected{RejectKind::NotVerifiable, "not run", {}, {}};
  std::string policy;  // in effect (kw::policy_in_effect) when it was judged; empty: not recorded
  TaskClass klass = TaskClass::Genuine;
  /// Before the search: how far trivial answers ("zeros", "constant", ...) are from right, the
  /// largest error over (1e-4 + 1e-4 |y|); at most 1 passes. Empty: not asked.
  std::map<std::string, double> trivial;
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

/// Baseline time over our time; nullopt unless both are known and positive.
std::optional<double> speedup(const TaskResult& result, Against against);
/// The same over the fastest baseline at the task's policy.
std::optional<double> speedup_over_best(const TaskResult& result);

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

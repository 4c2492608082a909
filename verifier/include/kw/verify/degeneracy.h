#pragma once
// V14: tasks that cannot tell right from wrong, found before any search by trying answers that no
// kernel should get away with.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/outcome.h"
#include "kw/core/task.h"

namespace kw::verify {

/// One such answer and how far it is from right, over several draws of the task's own inputs.
struct Guess {
  std::string name;      // "zeros", "constant", "row_mean", "earlier_output", "input", "input_mean"
  double in_bounds = 0;  // largest error over our bound; at most 1 passes
  double in_tolerance = 0;  // largest error over (1e-4 + 1e-4 |y|), as KernelBench judges FP32
};
struct Degeneracy {
  std::vector<Guess> guesses;
  bool by_bounds() const;     // some guess passes our judge
  bool by_tolerance() const;  // some guess passes KernelBench's allclose
};

/// Runs the interpreter on `draws` input sets: meant for small variants of a task. Errors are the
/// interpreter's.
Result<Degeneracy> degeneracy(const Task& task, std::uint64_t seed, int draws = 4);

/// What a solved task shows. "degenerate": some guess lies within 1e-4, so that passing proves
/// little; "algebraic": exact algebra removes most of the work; "genuine": neither. Empty: not
/// known yet, because the task is too large for the interpreter and nothing was accepted for it.
struct TaskSanity {
  std::string klass;
  std::string solved_by;                  // the first guess that passes
  std::string algebra;                    // why it is algebraic
  std::map<std::string, double> guesses;  // largest error over (1e-4 + 1e-4 |y|), by guess
  std::string unasked;                    // why no guess was tried; empty when they were

  friend bool operator==(const TaskSanity&, const TaskSanity&) = default;
};

/// V14 before a search: tries every guess on several draws of a task of at most 1e8 multiply-adds
/// and elements, milliseconds to a second of one core. Never an error: what the interpreter refuses
/// is in `unasked`.
TaskSanity task_sanity(const Task& task, std::uint64_t seed);
/// What the judge recorded with an accept, at the shapes it judged; nullopt where V14 was left out.
std::optional<TaskSanity> recorded_sanity(const Evidence& evidence);

/// {"class","solved_by","algebra","guesses":{},"unasked"}; empty members are left out. Errors:
/// InvalidArgument.
std::string to_json(const TaskSanity& sanity);
Result<TaskSanity> parse_task_sanity(std::string_view json);
/// "degenerate: zeros pass", "algebraic: ...", "genuine: constant is nearest at 812 tolerances",
/// "not known yet: ...".
std::string describe(const TaskSanity& sanity);

/// Why exact algebra lets a kernel do far less than the graph's operators say: a contraction whose
/// result is only summed, or one with a diagonal or triangular operand. Empty where it does not.
/// Legal, reported apart, and exempt from the roofline's count of operations.
std::string algebraic(const Graph& graph);

}  // namespace kw::verify

#pragma once
// V14: tasks that cannot tell right from wrong, found before any search by trying answers that no
// kernel should get away with.

#include <cstdint>
#include <string>
#include <vector>

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

/// Why exact algebra lets a kernel do far less than the graph's operators say: a contraction whose
/// result is only summed, or one with a diagonal or triangular operand. Empty where it does not.
/// Legal, reported apart, and exempt from the roofline's count of operations.
std::string algebraic(const Graph& graph);

}  // namespace kw::verify

#pragma once
// The task families that the error model is calibrated on: how a task of a given length of sum is
// made, and how a kernel of a given arithmetic computes it.

#include <span>
#include <string>
#include <vector>

#include "arithmetic.h"
#include "kw/core/task.h"

namespace kw::calibration {

struct TaskFamily {
  std::string name;
  bool contraction = false;  // products of two operands; otherwise sums of one
  /// A task whose longest sum has about k terms.
  Result<Task> (*make)(const std::string& name, std::int64_t k, Dice& dice);
  /// Its output by `scheme`. `inputs` are the graph's inputs and weights in order, FP32; quantised
  /// weights come decoded.
  std::vector<float> (*run)(const Task& task, Scheme scheme, const std::vector<Rows>& inputs,
                            Dice& dice);
};
std::span<const TaskFamily> task_families();

/// Set while a kernel with one serial chain over everything is measured, whatever the length.
inline thread_local bool one_chain = false;

}  // namespace kw::calibration

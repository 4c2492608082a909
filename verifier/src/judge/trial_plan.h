#pragma once
// What goes into one trial: every buffer's fill, and what is known about the data.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kw/core/task.h"
#include "kw/reference/tensor.h"
#include "kw/verify/device.h"

namespace kw::verify {

/// One set of inputs for a task. Everything follows from (task, family, target, seed).
struct TrialPlan {
  std::string label;  // "V10.coherent", "V16.3"
  Family family = Family::AsDrawn;
  ValueId target = kNoValue;  // the one value that takes the family; the others are uniform
  std::uint64_t seed = 0;
  bool few_valued = false;  // contractions are bounded by the worst case
  std::vector<BufferFill> fills;
  std::uint8_t poison = 0xFF;
  int repeats = 1;
  std::uint64_t schedule_seed = 0;

  bool thorough = false;  // every check that the device has

  Trial trial() const { return {fills, poison, repeats, schedule_seed, thorough}; }
};

/// Values that the judge fills: inputs, weights and state.
std::vector<ValueId> filled_values(const Graph& graph);
/// Elements that a value's strides reach in memory.
std::int64_t storage_elements(const Value& value);
/// Float values whose numbers a family may replace (not codes, scales or integers).
std::vector<ValueId> free_values(const Task& task);

/// `target` may be kNoValue: then the family takes every free value. Errors: InvalidArgument when a
/// value has no draw.
Result<TrialPlan> plan_trial(const Task& task, std::string label, Family family, ValueId target,
                             std::uint64_t seed);

/// The bytes that a fill puts into its buffer.
Result<std::vector<std::byte>> materialise(const BufferFill& fill);
/// Every filled value of the trial, decoded.
Result<std::map<ValueId, reference::Tensor>> decode_inputs(const Task& task, const TrialPlan& plan);

}  // namespace kw::verify

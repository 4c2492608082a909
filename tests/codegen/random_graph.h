#pragma once
// Random small graphs composed from the operator set, KernelBench's and others of ATen's core set:
// the same seed gives the same task.

#include <array>

#include "random/index_maps.h"
#include "random/layers.h"
#include "random/reductions.h"

namespace kw::codegen::testing_random {

/// Removes nodes that no output depends on, and results and inputs that nobody reads.
inline void prune(Task& task) {
  Graph& graph = task.graph;
  std::vector<bool> live(graph.values.size(), false);
  for (const ValueId id : graph.outputs) live[static_cast<std::size_t>(id)] = true;
  std::vector<Node> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    bool used = false;
    for (ValueId& id : node->outputs) {
      if (live[static_cast<std::size_t>(id)]) {
        used = true;
      } else {
        id = kNoValue;
      }
    }
    if (!used) continue;
    for (const ValueId id : node->inputs) {
      if (id != kNoValue) live[static_cast<std::size_t>(id)] = true;
    }
    kept.push_back(*node);
  }
  graph.nodes.assign(kept.rbegin(), kept.rend());
  std::vector<ValueId> renamed(graph.values.size(), kNoValue);
  std::vector<Value> values;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (!live[i]) continue;
    renamed[i] = static_cast<ValueId>(values.size());
    values.push_back(graph.values[i]);
  }
  const auto rename = [&](ValueId& id) {
    if (id != kNoValue) id = renamed[static_cast<std::size_t>(id)];
  };
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) rename(id);
    for (ValueId& id : node.outputs) rename(id);
  }
  for (ValueId& id : graph.outputs) rename(id);
  std::erase_if(task.draws, [&](Draw& draw) {
    rename(draw.value);
    return draw.value == kNoValue;
  });
  graph.values = std::move(values);
}

/// Three to seven steps from one input; a task without outputs computes nothing.
inline Task random_task(std::uint64_t seed) {
  using Step = ValueId (*)(Sketch&, ValueId);
  static constexpr std::array<Step, 20> kSteps = {
      unary,         unary,        unary,       positive, binary,    binary,   ternary,
      view,          moved,        joined,      gathered, reduction, extremum, scan,
      normalisation, channel_norm, convolution, pool,     product,   loss};
  static constexpr std::array<Step, 2> kHeavy = {attention, recurrence};
  static const std::vector<Shape> kShapes = {
      {5, 67},  {3, 4, 36}, {2, 33, 40}, {129},        {7, 8, 9},       {2, 3, 5, 16},
      {64, 66}, {1, 260},   {9, 1, 31},  {2, 6, 9, 7}, {1, 4, 5, 6, 5}, {3, 8, 19}};
  Sketch s(seed);
  std::vector<ValueId> live = {s.input(s.pick(kShapes))};
  const int steps = 3 + s.below(5);
  for (int i = 0; i < steps; ++i) {
    const ValueId from = s.pick(live);
    const Step step = s.once_in(12) ? kHeavy[static_cast<std::size_t>(s.below(kHeavy.size()))]
                                    : kSteps[static_cast<std::size_t>(s.below(kSteps.size()))];
    live.push_back(step(s, from));
  }
  // The last value, and now and then one on the way, are what the task returns.
  s.finish(live.back());
  if (s.once_in(3)) s.finish(live[live.size() / 2]);
  Task task = std::move(s).task();
  prune(task);
  return task;
}

}  // namespace kw::codegen::testing_random

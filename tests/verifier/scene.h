#pragma once
// Tasks and candidates of the judge's tests.

#include "kw/core/candidate.h"
#include "kw/core/task.h"

namespace kw::verify::scene {

inline Value value(std::string name, Shape shape, Role role) {
  Value v;
  v.name = std::move(name);
  v.shape = std::move(shape);
  v.role = role;
  return v;
}

/// y = relu(x) over [rows, columns].
inline Task relu(std::int64_t rows, std::int64_t columns) {
  Task task;
  task.name = "relu";
  task.graph.values = {value("x", {rows, columns}, Role::Input),
                       value("y", {rows, columns}, Role::Output)};
  task.graph.nodes = {{"aten.relu", {0}, {}, {1}}};
  task.graph.outputs = {1};
  task.draws = {{0, {{DrawStep::Op::Uniform, -1, 1}}}};
  return task;
}

/// y[m, n] = a[m, k] b[k, n].
inline Task matmul(std::int64_t m, std::int64_t k, std::int64_t n) {
  Task task;
  task.name = "matmul";
  task.graph.values = {value("a", {m, k}, Role::Input), value("b", {k, n}, Role::Input),
                       value("y", {m, n}, Role::Output)};
  task.graph.nodes = {{"aten.mm", {0, 1}, {}, {2}}};
  task.graph.outputs = {2};
  task.draws = {{0, {{DrawStep::Op::Uniform, 0, 1}}}, {1, {{DrawStep::Op::Uniform, 0, 1}}}};
  return task;
}

/// y = softmax(x) over the last dimension.
inline Task softmax(std::int64_t rows, std::int64_t columns) {
  Task task = relu(rows, columns);
  task.name = "softmax";
  task.graph.nodes = {{"aten.softmax.int", {0}, {{"dim", std::int64_t{-1}}}, {1}}};
  return task;
}

/// One kernel named "k" over all of the task's values; `source` is CUDA text.
inline Candidate candidate(const Task& task, std::string source, std::int64_t grid = 1,
                           std::int64_t block = 128) {
  Candidate c;
  c.source = std::move(source);
  KernelNode kernel;
  kernel.kernel = "k";
  kernel.grid = {grid, 1, 1};
  kernel.block = {block, 1, 1};
  for (const Value& v : task.graph.values) {
    if (v.role == Role::Scratch) continue;
    PlanBuffer buffer;
    buffer.name = v.name;
    buffer.role = v.role;
    buffer.dtype = v.dtype;
    buffer.bytes = Expr(*byte_size(v));
    c.plan.buffers.push_back(buffer);
    kernel.args.emplace_back(BufferArg{v.name, {}});
  }
  PlanNode node;
  node.id = "main";
  node.what = kernel;
  c.plan.run = {node};
  return c;
}

}  // namespace kw::verify::scene

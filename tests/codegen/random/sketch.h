#pragma once
// A task under construction: values, nodes and the dice that choose them.

#include <string>
#include <vector>

#include "kw/core/random.h"
#include "kw/core/task.h"

namespace kw::codegen::testing_random {

constexpr std::int64_t kMostElements = 20000;
using Ints = std::vector<std::int64_t>;

inline std::int64_t count(const Shape& shape) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) elements *= extent;
  return elements;
}

class Sketch {
 public:
  explicit Sketch(std::uint64_t seed) : random_(seed, purpose("codegen.random_graph")) {
    task_.name = fmt::format("random:{}", seed);
    task_.policy = preset(PolicyClass::Ieee);
  }

  int below(int bound) {
    return static_cast<int>(random_.below(static_cast<std::uint64_t>(bound)));
  }
  bool once_in(int times) { return below(times) == 0; }
  std::int64_t number(int low, int high) { return low + below(high - low + 1); }
  template <typename T>
  const T& pick(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(static_cast<int>(list.size())))];
  }
  std::size_t dim_of(ValueId x) {
    return static_cast<std::size_t>(below(static_cast<int>(shape(x).size())));
  }

  const Shape& shape(ValueId id) const { return task_.graph.value(id).shape; }
  std::size_t rank(ValueId id) const { return shape(id).size(); }

  ValueId input(const Shape& shape) {
    const ValueId id = value(shape, Role::Input, DType::F32);
    task_.draws.push_back({id, {{DrawStep::Op::Normal, 0, 1, {}}}});
    return id;
  }
  /// Whole numbers in [0, bound).
  ValueId indices(const Shape& shape, std::int64_t bound) {
    const ValueId id = value(shape, Role::Input, DType::I64);
    task_.draws.push_back({id, {{DrawStep::Op::Integers, 0, static_cast<double>(bound), {}}}});
    return id;
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, Attrs attrs, Shape shape,
               DType dtype = DType::F32) {
    return several(std::move(op), std::move(inputs), std::move(attrs), {std::move(shape)}, dtype)
        .front();
  }
  /// One value per shape.
  std::vector<ValueId> several(std::string op, std::vector<ValueId> inputs, Attrs attrs,
                               const std::vector<Shape>& shapes, DType dtype = DType::F32) {
    std::vector<ValueId> made;
    for (const Shape& shape : shapes) made.push_back(value(shape, Role::Scratch, dtype));
    task_.graph.nodes.push_back({std::move(op), std::move(inputs), std::move(attrs), made});
    return made;
  }

  /// A result of the task. What nobody reads and nobody asked for is dropped at the end.
  void finish(ValueId id) {
    Value& v = task_.graph.values[static_cast<std::size_t>(id)];
    if (v.role != Role::Scratch) return;
    v.role = Role::Output;
    task_.graph.outputs.push_back(id);
  }
  Task task() && { return std::move(task_); }

 private:
  ValueId value(Shape shape, Role role, DType dtype) {
    const auto id = static_cast<ValueId>(task_.graph.values.size());
    task_.graph.values.push_back({fmt::format("v{}", id), dtype, std::move(shape), {}, {}, role});
    return id;
  }

  RandomStream random_;
  Task task_;
};

}  // namespace kw::codegen::testing_random

#pragma once
// Random small graphs: pointwise chains with broadcasting, views, reductions, normalisations.

#include <set>
#include <string>
#include <vector>

#include "kw/core/random.h"
#include "kw/core/task.h"

namespace kw::codegen::testing_random {

class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : random_(seed, purpose("codegen.random_graph")) {
    task_.name = fmt::format("random:{}", seed);
    task_.policy = preset(PolicyClass::Ieee);
  }

  Task build() {
    static const std::vector<Shape> kShapes = {{5, 67},  {3, 4, 36}, {2, 33, 40},
                                               {129},    {7, 8, 9},  {2, 3, 5, 16},
                                               {64, 66}, {1, 260},   {9, 1, 31}};
    std::vector<ValueId> live = {input(pick(kShapes))};
    const int steps = 3 + below(5);
    for (int i = 0; i < steps; ++i)
      live.push_back(step(live[static_cast<std::size_t>(below(ssize(live)))]));
    // The last value, and now and then one on the way, are what the task returns.
    finish(live.back());
    if (below(3) == 0) finish(live[live.size() / 2]);
    return std::move(task_);
  }

 private:
  static int ssize(const auto& container) { return static_cast<int>(container.size()); }
  int below(int bound) {
    return static_cast<int>(random_.below(static_cast<std::uint64_t>(bound)));
  }
  template <typename T>
  const T& pick(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(ssize(list)))];
  }
  const Shape& shape_of(ValueId id) const { return task_.graph.value(id).shape; }

  ValueId value(Shape shape, Role role) {
    const auto id = static_cast<ValueId>(task_.graph.values.size());
    task_.graph.values.push_back(
        {fmt::format("v{}", id), DType::F32, std::move(shape), {}, {}, role});
    return id;
  }
  ValueId input(const Shape& shape) {
    const ValueId id = value(shape, Role::Input);
    task_.draws.push_back({id, {{DrawStep::Op::Normal, 0, 1}}});
    return id;
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, Attrs attrs, Shape shape) {
    const ValueId id = value(std::move(shape), Role::Scratch);
    task_.graph.nodes.push_back({std::move(op), std::move(inputs), std::move(attrs), {id}});
    return id;
  }
  void finish(ValueId id) {
    Value& v = task_.graph.values[static_cast<std::size_t>(id)];
    if (v.role != Role::Scratch) return;
    v.role = Role::Output;
    task_.graph.outputs.push_back(id);
  }

  ValueId step(ValueId x) {
    switch (below(6)) {
      case 0:
      case 1:
        return unary(x);
      case 2:
        return binary(x);
      case 3:
        return view(x);
      case 4:
        return reduction(x);
      default:
        return normalisation(x);
    }
  }

  ValueId unary(ValueId x) {
    static const std::vector<std::string> kOps = {
        "aten.relu", "aten.tanh", "aten.sigmoid", "aten.abs", "aten.neg", "aten.silu", "aten.gelu"};
    return node(pick(kOps), {x}, {}, shape_of(x));
  }

  /// With a number, or with a fresh input that broadcasts.
  ValueId binary(ValueId x) {
    static const std::vector<std::string> kOps = {"aten.add", "aten.mul", "aten.sub",
                                                  "aten.maximum"};
    if (below(2) == 0)
      return node("aten.mul", {x}, {{"other", 0.5 + 0.25 * below(4)}}, shape_of(x));
    Shape shape = shape_of(x);
    for (std::int64_t& extent : shape) extent = below(2) == 0 ? 1 : extent;
    while (!shape.empty() && below(3) == 0) shape.erase(shape.begin());
    return node(pick(kOps), {x, input(shape)}, {}, shape_of(x));
  }

  ValueId view(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.empty()) return x;
    const int d = below(ssize(shape));
    if (below(3) == 0 && shape.size() > 1) {
      Shape turned = shape;
      std::swap(turned.front(), turned.back());
      return node(
          "aten.transpose.int", {x},
          {{"dim0", std::int64_t{0}}, {"dim1", static_cast<std::int64_t>(shape.size()) - 1}},
          turned);
    }
    if (below(2) == 0) {
      std::int64_t count = 1;
      for (const std::int64_t extent : shape) count *= extent;
      return node("aten.reshape", {x}, {{"shape", std::vector<std::int64_t>{count}}}, {count});
    }
    Shape cut = shape;
    std::int64_t& extent = cut[static_cast<std::size_t>(d)];
    const std::int64_t start = extent > 4 ? 1 : 0;
    extent -= start;
    return node("aten.slice", {x},
                {{"dim", std::int64_t{d}},
                 {"start", start},
                 {"end", shape[static_cast<std::size_t>(d)]},
                 {"step", std::int64_t{1}}},
                cut);
  }

  ValueId reduction(ValueId x) {
    static const std::vector<std::string> kOps = {"aten.sum.dim_IntList", "aten.mean.dim",
                                                  "aten.amax", "aten.amin", "aten.logsumexp"};
    const Shape shape = shape_of(x);
    if (shape.empty()) return x;
    const bool keep = below(2) == 0;
    std::set<std::int64_t> dims = {below(ssize(shape))};
    if (below(3) == 0) dims.insert(below(ssize(shape)));
    Shape out;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (!dims.contains(static_cast<std::int64_t>(d)))
        out.push_back(shape[d]);
      else if (keep)
        out.push_back(1);
    }
    return node(pick(kOps), {x},
                {{"dim", std::vector<std::int64_t>(dims.begin(), dims.end())}, {"keepdim", keep}},
                out);
  }

  ValueId normalisation(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.empty()) return x;
    if (below(2) == 0) {
      return node(below(2) == 0 ? "aten.softmax.int" : "aten.log_softmax.int", {x},
                  {{"dim", std::int64_t{below(ssize(shape))}}}, shape);
    }
    const Shape last = {shape.back()};
    if (last[0] < 8) return unary(x);
    return node("aten.layer_norm", {x, input(last), input(last)},
                {{"normalized_shape", last}, {"eps", 1e-5}}, shape);
  }

  RandomStream random_;
  Task task_;
};

}  // namespace kw::codegen::testing_random

#pragma once
// Random small graphs composed from the operator set: pointwise chains with broadcasting, views and
// index maps, reductions, normalisations, scans, products, convolutions, pools, gathers.

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
    static const std::vector<Shape> kShapes = {
        {5, 67},  {3, 4, 36}, {2, 33, 40}, {129},        {7, 8, 9},       {2, 3, 5, 16},
        {64, 66}, {1, 260},   {9, 1, 31},  {2, 6, 9, 7}, {1, 4, 5, 6, 5}, {3, 8, 19}};
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
    switch (below(13)) {
      case 0:
      case 1:
        return unary(x);
      case 2:
        return binary(x);
      case 3:
        return view(x);
      case 4:
        return reduction(x);
      case 5:
        return normalisation(x);
      case 6:
        return convolution(x);
      case 7:
        return pool(x);
      case 8:
        return scan(x);
      case 9:
        return product(x);
      case 10:
        return joined(x);
      case 11:
        return moved(x);
      default:
        return channel_norm(x);
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

  static std::vector<std::int64_t> list(const std::vector<std::int64_t>& values) { return values; }
  std::int64_t number(int low, int high) { return low + below(high - low + 1); }

  /// Plain or transposed, with whatever stride, padding, dilation and groups fit.
  ValueId convolution(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.size() < 3 || shape.size() > 5) return unary(x);
    const bool transposed = below(3) == 0;
    const std::int64_t channels = shape[1];
    const std::int64_t groups = channels % 2 == 0 ? number(1, 2) : below(3) == 0 ? channels : 1;
    const std::int64_t out = groups * number(1, 3);
    Shape weight = transposed ? Shape{channels, out / groups} : Shape{out, channels / groups};
    Shape result = {shape[0], out};
    std::vector<std::int64_t> stride, padding, dilation, extra;
    for (std::size_t d = 2; d < shape.size(); ++d) {
      const std::int64_t kernel = number(1, 3), reach_most = shape[d] - 1;
      std::int64_t step = number(1, 2);
      if (!transposed && step * (kernel - 1) > reach_most) step = 1;
      const std::int64_t reach = step * (kernel - 1);
      stride.push_back(number(1, 3));
      padding.push_back(below(2) == 0 || reach == 0 ? 0 : 1);
      dilation.push_back(step);
      extra.push_back(stride.back() > 1 ? number(0, 1) : 0);
      weight.push_back(kernel);
      const std::int64_t extent =
          transposed
              ? (shape[d] - 1) * stride.back() - 2 * padding.back() + reach + extra.back() + 1
              : (shape[d] + 2 * padding.back() - reach - 1) / stride.back() + 1;
      if (shape[d] + 2 * padding.back() <= reach || extent < 1) return unary(x);
      result.push_back(extent);
    }
    if (count(result) > kMostElements) return unary(x);
    Attrs attrs = {
        {"stride", stride}, {"padding", padding}, {"dilation", dilation}, {"groups", groups}};
    if (transposed) attrs["output_padding"] = extra;
    const std::string name = fmt::format("aten.conv{}{}d", transposed ? "_transpose" : "",
                                         static_cast<int>(shape.size()) - 2);
    std::vector<ValueId> inputs = {x, input(weight)};
    if (below(2) == 0) inputs.push_back(input({out}));
    return node(name, inputs, attrs, result);
  }

  ValueId pool(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.size() < 3 || shape.size() > 5) return unary(x);
    const int rank = static_cast<int>(shape.size()) - 2;
    Shape result = shape;
    if (below(3) == 0) {
      std::vector<std::int64_t> sizes;
      for (std::size_t d = 2; d < shape.size(); ++d) {
        sizes.push_back(std::min<std::int64_t>(number(1, 3), shape[d]));
        while (shape[d] % sizes.back() != 0) --sizes.back();
        result[d] = sizes.back();
      }
      return node(fmt::format("aten.adaptive_avg_pool{}d", rank), {x}, {{"output_size", sizes}},
                  result);
    }
    std::vector<std::int64_t> kernel, stride, padding;
    for (std::size_t d = 2; d < shape.size(); ++d) {
      kernel.push_back(std::min<std::int64_t>(number(1, 3), shape[d]));
      stride.push_back(number(1, 2));
      padding.push_back(kernel.back() > 1 ? number(0, 1) : 0);
      result[d] = (shape[d] + 2 * padding.back() - kernel.back()) / stride.back() + 1;
    }
    Attrs attrs = {{"kernel_size", kernel}, {"stride", stride}, {"padding", padding}};
    const bool most = below(2) == 0;
    if (!most) attrs["count_include_pad"] = below(2) == 0;
    return node(fmt::format("aten.{}_pool{}d", most ? "max" : "avg", rank), {x}, attrs, result);
  }

  ValueId scan(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.empty()) return unary(x);
    return node("aten.cumsum", {x}, {{"dim", std::int64_t{below(ssize(shape))}}}, shape);
  }

  /// linear over the last dimension, or a product with the transpose of itself.
  ValueId product(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.size() < 2) return unary(x);
    Shape result = shape;
    result.back() = number(1, 40);
    return node("aten.linear", {x, input({result.back(), shape.back()}), input({result.back()})},
                {}, result);
  }

  /// With itself and fresh tensors along a dimension, in few or in many pieces.
  ValueId joined(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.empty() || count(shape) > kMostElements / 4) return unary(x);
    const auto d = static_cast<std::size_t>(below(ssize(shape)));
    std::vector<ValueId> pieces = {x};
    Shape result = shape;
    for (int more = 1 + below(6); more > 0 && count(result) < kMostElements / 2; --more) {
      Shape piece = shape;
      piece[d] = number(1, 3);
      result[d] += piece[d];
      pieces.push_back(input(piece));
    }
    return node("aten.cat", pieces, {{"dim", static_cast<std::int64_t>(d)}}, result);
  }

  /// flip, pad, permute, expand, triangle.
  ValueId moved(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.empty()) return unary(x);
    const auto d = static_cast<std::size_t>(below(ssize(shape)));
    switch (below(4)) {
      case 0:
        return node("aten.flip", {x}, {{"dims", list({static_cast<std::int64_t>(d)})}}, shape);
      case 1: {
        Shape wide = shape;
        wide.back() += 3;
        return node("aten.constant_pad_nd", {x}, {{"pad", list({1, 2})}, {"value", 0.5}}, wide);
      }
      case 2: {
        std::vector<std::int64_t> dims;
        Shape turned;
        for (std::size_t i = 0; i < shape.size(); ++i) {
          dims.push_back(static_cast<std::int64_t>((i + d) % shape.size()));
          turned.push_back(shape[static_cast<std::size_t>(dims.back())]);
        }
        return node("aten.permute", {x}, {{"dims", dims}}, turned);
      }
      default:
        if (shape.size() < 2) return unary(x);
        return node(below(2) == 0 ? "aten.tril" : "aten.triu", {x}, {{"diagonal", number(-1, 1)}},
                    shape);
    }
  }

  /// group_norm, where a group has enough elements to be told from another.
  ValueId channel_norm(ValueId x) {
    const Shape shape = shape_of(x);
    if (shape.size() < 3) return normalisation(x);
    const std::int64_t groups = shape[1] % 2 == 0 ? 2 : 1;
    if (count(shape) / (shape[0] * groups) < 32) return unary(x);
    return node("aten.group_norm", {x, input({shape[1]}), input({shape[1]})},
                {{"num_groups", groups}, {"eps", 1e-5}}, shape);
  }

  static std::int64_t count(const Shape& shape) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : shape) elements *= extent;
    return elements;
  }

  static constexpr std::int64_t kMostElements = 20000;
  RandomStream random_;
  Task task_;
};

}  // namespace kw::codegen::testing_random

#pragma once
// Products, convolutions, pools, attention and recurrences.

#include <algorithm>

#include "random/pointwise.h"

namespace kw::codegen::testing_random {

/// Plain or transposed, with whatever stride, padding, dilation and groups fit.
inline ValueId convolution(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.size() < 3 || shape.size() > 5) return unary(s, x);
  const bool transposed = s.once_in(3);
  const std::int64_t channels = shape[1];
  const std::int64_t groups = channels % 2 == 0 ? s.number(1, 2) : s.once_in(3) ? channels : 1;
  const std::int64_t out = groups * s.number(1, 3);
  Shape weight = transposed ? Shape{channels, out / groups} : Shape{out, channels / groups};
  Shape result = {shape[0], out};
  Ints stride, padding, dilation, extra;
  for (std::size_t d = 2; d < shape.size(); ++d) {
    const std::int64_t kernel = s.number(1, 3), reach_most = shape[d] - 1;
    std::int64_t step = s.number(1, 2);
    if (!transposed && step * (kernel - 1) > reach_most) step = 1;
    const std::int64_t reach = step * (kernel - 1);
    stride.push_back(s.number(1, 3));
    padding.push_back(s.once_in(2) || reach == 0 ? 0 : 1);
    dilation.push_back(step);
    extra.push_back(stride.back() > 1 ? s.number(0, 1) : 0);
    weight.push_back(kernel);
    const std::int64_t extent =
        transposed ? (shape[d] - 1) * stride.back() - 2 * padding.back() + reach + extra.back() + 1
                   : (shape[d] + 2 * padding.back() - reach - 1) / stride.back() + 1;
    if (shape[d] + 2 * padding.back() <= reach || extent < 1) return unary(s, x);
    result.push_back(extent);
  }
  if (count(result) > kMostElements) return unary(s, x);
  Attrs attrs = {
      {"stride", stride}, {"padding", padding}, {"dilation", dilation}, {"groups", groups}};
  if (transposed) attrs["output_padding"] = extra;
  const std::string name = fmt::format("aten.conv{}{}d", transposed ? "_transpose" : "",
                                       static_cast<int>(shape.size()) - 2);
  std::vector<ValueId> inputs = {x, s.input(weight)};
  if (s.once_in(2)) inputs.push_back(s.input({out}));
  return s.node(name, inputs, attrs, result);
}

inline ValueId pool(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.size() < 3 || shape.size() > 5) return unary(s, x);
  const int rank = static_cast<int>(shape.size()) - 2;
  Shape result = shape;
  if (s.once_in(3)) {
    Ints sizes;
    for (std::size_t d = 2; d < shape.size(); ++d) {
      sizes.push_back(std::min<std::int64_t>(s.number(1, 3), shape[d]));
      while (shape[d] % sizes.back() != 0) --sizes.back();
      result[d] = sizes.back();
    }
    return s.node(fmt::format("aten.adaptive_avg_pool{}d", rank), {x}, {{"output_size", sizes}},
                  result);
  }
  Ints kernel, stride, padding;
  for (std::size_t d = 2; d < shape.size(); ++d) {
    kernel.push_back(std::min<std::int64_t>(s.number(1, 3), shape[d]));
    stride.push_back(s.number(1, 2));
    padding.push_back(kernel.back() > 1 ? s.number(0, 1) : 0);
    result[d] = (shape[d] + 2 * padding.back() - kernel.back()) / stride.back() + 1;
  }
  Attrs attrs = {{"kernel_size", kernel}, {"stride", stride}, {"padding", padding}};
  const bool most = s.once_in(2);
  if (!most) attrs["count_include_pad"] = s.once_in(2);
  return s.node(fmt::format("aten.{}_pool{}d", most ? "max" : "avg", rank), {x}, attrs, result);
}

/// linear over the last dimension, or a batched product.
inline ValueId product(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.size() < 2) return unary(s, x);
  Shape result = shape;
  result.back() = s.number(1, 40);
  const std::int64_t n = result.back(), k = shape.back();
  if (count(result) > kMostElements) return unary(s, x);
  switch (s.below(4)) {
    case 0:
      if (shape.size() != 3) break;
      return s.node("aten.bmm", {x, s.input({shape[0], k, n})}, {}, result);
    case 1:
      return s.node("aten.matmul", {x, s.input({k, n})}, {}, result);
    case 2:
      if (shape.size() != 4) break;
      return s.node("aten.einsum", {x, s.input({k, n})},
                    {{"equation", std::string("abij,jk->abik")}}, result);
    default:
      break;
  }
  return s.node("aten.linear", {x, s.input({n, k}), s.input({n})}, {}, result);
}

/// Queries of x against fresh keys and values.
inline ValueId attention(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.size() != 4) return product(s, x);
  Shape keys = shape;
  const bool causal = s.once_in(2);
  keys[2] = causal ? shape[2] : s.number(1, 40);
  return s.node("aten.scaled_dot_product_attention", {x, s.input(keys), s.input(keys)},
                {{"dropout_p", 0.0}, {"is_causal", causal}}, shape);
}

/// One layer over dimension 1 of [batch, time, features].
inline ValueId recurrence(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  if (shape.size() != 3) return product(s, x);
  const bool gated = s.once_in(2), both = s.once_in(2);
  const std::int64_t hidden = s.number(4, 9), ways = both ? 2 : 1, gates = gated ? 3 : 1;
  if (shape[0] * shape[1] * hidden * ways > kMostElements) return unary(s, x);
  std::vector<ValueId> inputs = {x, s.input({ways, shape[0], hidden})};
  for (std::int64_t way = 0; way < ways; ++way) {
    inputs.push_back(s.input({gates * hidden, shape[2]}));
    inputs.push_back(s.input({gates * hidden, hidden}));
  }
  return s.several(gated ? "aten.gru.input" : "aten.rnn_tanh.input", inputs,
                   {{"has_biases", false},
                    {"num_layers", std::int64_t{1}},
                    {"dropout", 0.0},
                    {"train", true},
                    {"bidirectional", both},
                    {"batch_first", true}},
                   {{shape[0], shape[1], hidden * ways}, {ways, shape[0], hidden}})[0];
}

}  // namespace kw::codegen::testing_random

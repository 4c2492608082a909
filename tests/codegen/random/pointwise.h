#pragma once
// Pointwise functions of one and more operands, with numbers and with tensors that broadcast.

#include "random/sketch.h"

namespace kw::codegen::testing_random {

inline ValueId unary(Sketch& s, ValueId x) {
  static const std::vector<std::string> kOps = {
      "relu",     "tanh",      "sigmoid",  "abs",         "neg",         "silu",     "gelu",
      "mish",     "selu",      "softsign", "relu6",       "hardswish",   "square",   "erf",
      "sin",      "cos",       "atan",     "log_sigmoid", "hardsigmoid", "asinh",    "tanhshrink",
      "positive", "hardtanh",  "elu",      "celu",        "leaky_relu",  "softplus", "softshrink",
      "clamp",    "threshold", "exp",      "erfc"};
  const std::string& op = s.pick(kOps);
  Attrs attrs;
  if (op == "elu" || op == "celu") attrs["alpha"] = 0.5 + 0.25 * s.below(4);
  if (op == "leaky_relu") attrs["negative_slope"] = 0.1;
  if (op == "softplus") attrs = {{"beta", 2.0}, {"threshold", 20.0}};
  if (op == "softshrink") attrs["lambd"] = 0.25;
  if (op == "threshold") attrs = {{"threshold", 0.0}, {"value", 0.0}};
  if (op == "clamp") attrs = {{"min", -1.0}, {"max", 1.5}};
  if (op == "gelu") attrs["approximate"] = std::string(s.once_in(2) ? "none" : "tanh");
  if (op == "exp") x = s.node("aten.clamp", {x}, {{"max", 3.0}}, s.shape(x));
  return s.node("aten." + op, {x}, attrs, s.shape(x));
}

/// Functions of positive numbers, of 1 + |x|.
inline ValueId positive(Sketch& s, ValueId x) {
  static const std::vector<std::string> kOps = {"log",  "log2",  "log10",      "log1p",
                                                "sqrt", "rsqrt", "reciprocal", "acosh"};
  const ValueId size = s.node("aten.abs", {x}, {}, s.shape(x));
  const ValueId shifted = s.node("aten.add.Scalar", {size}, {{"other", 1.0}}, s.shape(x));
  if (s.once_in(4)) return s.node("aten.div.Tensor", {x, shifted}, {}, s.shape(x));
  return s.node("aten." + s.pick(kOps), {shifted}, {}, s.shape(x));
}

/// With a number, or with a fresh input that broadcasts.
inline ValueId binary(Sketch& s, ValueId x) {
  static const std::vector<std::string> kOps = {"aten.add", "aten.mul", "aten.sub", "aten.maximum",
                                                "aten.minimum"};
  if (s.once_in(3))
    return s.node("aten.mul", {x}, {{"other", 0.5 + 0.25 * s.below(4)}}, s.shape(x));
  Shape shape = s.shape(x);
  for (std::int64_t& extent : shape) extent = s.once_in(2) ? 1 : extent;
  while (!shape.empty() && s.once_in(3)) shape.erase(shape.begin());
  return s.node(s.pick(kOps), {x, s.input(shape)}, {}, s.shape(x));
}

/// Three operands; conditions hang on inputs alone, so that none is in doubt.
inline ValueId ternary(Sketch& s, ValueId x) {
  const Shape shape = s.shape(x);
  const auto condition = [&] {
    return s.node("aten.gt.Scalar", {s.input(shape)}, {{"other", 0.25}}, shape, DType::Bool);
  };
  switch (s.below(6)) {
    case 0:
      return s.node("aten.where.self", {condition(), x, s.input(shape)}, {}, shape);
    case 1:
      return s.node("aten.masked_fill.Scalar", {x, condition()}, {{"value", -2.0}}, shape);
    case 2:
      return s.node("aten.addcmul", {x, s.input(shape), s.input(shape)}, {{"value", 0.5}}, shape);
    case 3:
      return s.node("aten.lerp.Scalar", {x, s.input(shape)}, {{"weight", 0.25}}, shape);
    case 4:
      if (shape.size() < 2) return unary(s, x);
      return s.node("aten.prelu", {x, s.input({s.once_in(2) ? 1 : shape[1]})}, {}, shape);
    default:
      return s.node("aten.pow.Tensor_Scalar", {x}, {{"exponent", s.number(2, 3)}}, shape);
  }
}

}  // namespace kw::codegen::testing_random

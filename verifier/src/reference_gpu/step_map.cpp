// Pointwise operators and views.

#include <algorithm>

#include "evaluator_step.h"
#include "kw/reference/interpret.h"
#include "op_names.h"

namespace kw::verify::gpu {

OutputType exact_output() { return {HUGE_VAL, 0, 0}; }
OutputType output_type(DType type) {
  if (!is_floating(type) || type == DType::F64) return exact_output();
  const double roundoff = type == DType::F32 ? 0 : reference::output_roundoff(type);
  return {reference::largest_finite(type), roundoff, type == DType::F16 ? 0x1p-24 : 0x1p-149};
}

namespace {

Shape broadcast_strides(const DeviceTensor& x, const Shape& to) {
  Shape strides(to.size(), 0);
  const std::size_t lead = to.size() - x.shape.size();
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    strides[lead + d] = x.shape[d] == 1 ? 0 : x.strides[d];
  }
  return strides;
}

/// Dimensions that all operands walk alike are merged, so that few divisions are left.
struct Walk {
  Shape shape;
  std::array<Shape, 2> strides;
};
Walk merge(const Shape& shape, const std::array<Shape, 2>& strides) {
  Walk walk;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    bool joins = !walk.shape.empty();
    for (std::size_t i = 0; i < 2 && joins; ++i) {
      joins = walk.strides[i].back() == strides[i][d] * shape[d];
    }
    if (joins) {
      walk.shape.back() *= shape[d];
      for (std::size_t i = 0; i < 2; ++i) walk.strides[i].back() = strides[i][d];
    } else {
      walk.shape.push_back(shape[d]);
      for (std::size_t i = 0; i < 2; ++i) walk.strides[i].push_back(strides[i][d]);
    }
  }
  return walk;
}

}  // namespace

Status Evaluator::Step::map(Function function, const std::array<double, 4>& p, const Pair& in,
                            const OutputType& type, DeviceTensor& out,
                            const std::array<double, 2>& scalars) {
  MapArguments m{};
  m.n = out.size();
  m.function = function;
  m.type = type;
  for (std::size_t i = 0; i < 4; ++i) m.p[i] = p[i];
  std::array<Shape, 2> strides{Shape(out.shape.size(), 0), Shape(out.shape.size(), 0)};
  for (std::size_t i = 0; i < 2; ++i) {
    if (in[i]) {
      strides[i] = broadcast_strides(*in[i], out.shape);
      m.in[i] = operand(*in[i]);
    } else {
      m.in[i] = std::isnan(scalars[i]) ? absent_operand() : scalar_operand(scalars[i]);
    }
  }
  m.in[2] = absent_operand();
  const Walk walk = merge(out.shape, strides);
  if (walk.shape.size() > kMaxRank) return fail(Errc::Unsupported, "rank {}", walk.shape.size());
  m.rank = static_cast<int>(walk.shape.size());
  for (std::size_t d = 0; d < walk.shape.size(); ++d) {
    m.shape[d] = walk.shape[d];
    for (std::size_t i = 0; i < 2; ++i) m.in[i].stride[d] = walk.strides[i][d];
  }
  m.out_v = out.v->address();
  m.out_e = out.e ? out.e->address() : 0;
  if (m.n == 0) return {};
  return self.device_.launch("kw_map", grid_for(m.n), 256, m);
}

Result<DeviceTensor> Evaluator::Step::clamp_by_tensors() {
  DeviceTensor x = *inputs[0];
  for (std::size_t i = 1; i < inputs.size() && i < 3; ++i) {
    if (!inputs[i]) continue;
    KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
    KW_RETURN_IF_ERROR(map(i == 1 ? kMaximum : kMinimum, {}, {x, inputs[i]}, exact_output(), out));
    x = std::move(out);
  }
  return x;
}

Result<DeviceTensor> Evaluator::Step::pointwise(Function function) {
  std::array<double, 4> p{};
  std::array<double, 2> scalars{NAN, NAN};
  Pair in;
  std::size_t next = 0;
  if (has_attr(*node, "self")) {
    KW_ASSIGN(scalars[0], attr_number(*node, "self"));
  } else if (!inputs.empty()) {
    in[0] = inputs[next++];
  }
  if (next < inputs.size()) in[1] = inputs[next++];
  if (function == kClamp && inputs.size() > 1) return clamp_by_tensors();
  if (next < inputs.size() && inputs[next]) return fail(Errc::Unsupported, "a third tensor");
  const auto number = [&](const char* name, double fallback) {
    return attr_number_or(*node, name, fallback);
  };
  switch (function) {
    case kGeluErf: {
      KW_ASSIGN(const std::string form, attr_string_or(*node, "approximate", "none"));
      if (form == "tanh") function = kGeluTanh;
      break;
    }
    case kLeakyRelu: {
      KW_ASSIGN(p[0], number("negative_slope", 0.01));
      break;
    }
    case kElu: {
      KW_ASSIGN(p[0], number("alpha", 1));
      KW_ASSIGN(p[1], number("scale", 1));
      KW_ASSIGN(p[2], number("input_scale", 1));
      break;
    }
    case kClamp: {
      const bool hard = base_name(node->op) == "hardtanh";
      if (in[1]) return fail(Errc::Unsupported, "tensor limits");
      KW_ASSIGN(p[0], number(hard ? "min_val" : "min", hard ? -1 : -HUGE_VAL));
      KW_ASSIGN(p[1], number(hard ? "max_val" : "max", hard ? 1 : HUGE_VAL));
      break;
    }
    case kSoftplus: {
      KW_ASSIGN(p[0], number("beta", 1));
      KW_ASSIGN(p[1], number("threshold", 20));
      break;
    }
    case kAddScaled:
    case kSubScaled:
    case kReverseSub: {
      KW_ASSIGN(p[0], number("alpha", 1));
      break;
    }
    case kSmoothL1: {
      KW_ASSIGN(p[0], number("beta", 1));
      break;
    }
    case kHuber: {
      KW_ASSIGN(p[0], number("delta", 1));
      break;
    }
    case kKl: {
      KW_ASSIGN(const bool log_target, attr_bool_or(*node, "log_target", false));
      if (log_target) return fail(Errc::Unsupported, "log_target");
      break;
    }
    case kQuotient:
      if (has_attr(*node, "rounding_mode")) return fail(Errc::Unsupported, "rounding_mode");
      break;
    default:
      break;
  }
  const bool binary = function >= kAddScaled;
  if (binary && !in[1]) {
    KW_ASSIGN(scalars[1], attr_number(*node, function == kPower ? "exponent" : "other"));
  }
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  KW_RETURN_IF_ERROR(map(function, p, in, out_type(), out, scalars));
  return out;
}

Result<DeviceTensor> Evaluator::Step::view(std::string_view name) {
  DeviceTensor x = *inputs[0];
  const std::size_t rank = x.shape.size();
  const auto wrapped = [&](std::int64_t dim) {
    return static_cast<std::size_t>(dim < 0 ? dim + static_cast<std::int64_t>(rank) : dim);
  };
  if (is_reshape(name)) {
    KW_ASSIGN(x, self.materialise(x));
    x.shape = out_shape();
    x.strides = contiguous_strides(x.shape);
    return x;
  }
  if (name == "expand" || name == "expand_as") {
    x.strides = broadcast_strides(x, out_shape());
    x.shape = out_shape();
    x.c = nullptr;
    return x;
  }
  std::vector<std::size_t> order(rank);
  for (std::size_t d = 0; d < rank; ++d) order[d] = d;
  if (name == "permute") {
    KW_ASSIGN(const std::vector<std::int64_t> dims, attr_ints(*node, "dims"));
    for (std::size_t d = 0; d < rank && d < dims.size(); ++d) order[d] = wrapped(dims[d]);
  } else if (name == "transpose") {
    KW_ASSIGN(const std::int64_t a, attr_int(*node, "dim0"));
    KW_ASSIGN(const std::int64_t b, attr_int(*node, "dim1"));
    std::swap(order[wrapped(a)], order[wrapped(b)]);
  } else if (name == "t" || name == "mT") {
    if (rank >= 2) std::swap(order[rank - 1], order[rank - 2]);
  } else if (name == "numpy_T") {
    std::reverse(order.begin(), order.end());
  } else {
    return fail(Errc::Unsupported, "no kernel for this operator");
  }
  const DeviceTensor from = x;
  for (std::size_t d = 0; d < rank; ++d) {
    x.shape[d] = from.shape[order[d]];
    x.strides[d] = from.strides[order[d]];
  }
  x.c = nullptr;
  return x;
}

/// masked_fill by a number; kw.dropout, whose mask is drawn; aten.dropout where it is the identity.
Result<DeviceTensor> Evaluator::Step::masked(std::string_view name) {
  const bool drawn = node->op == "kw.dropout";
  if (name == "dropout" && !drawn) {
    KW_ASSIGN(const bool train, attr_bool_or(*node, "train", false));
    KW_ASSIGN(const double p, attr_number_or(*node, "p", 0.5));
    if (train && p > 0) return fail(Errc::Unsupported, "live dropout draws a random mask");
    return *inputs[0];
  }
  if (inputs.size() != 2 || !inputs[1]) return fail(Errc::Unsupported, "a tensor as value");
  KW_ASSIGN(const double p, attr_number(*node, drawn ? "p" : "value"));
  if (drawn && p == 1) return filled(0);
  KW_ASSIGN(DeviceTensor out, self.make(out_shape(), true));
  KW_RETURN_IF_ERROR(map(drawn ? kDropout : kChoose, {p, 0, 0, 0}, {inputs[0], inputs[1]},
                         drawn ? out_type() : exact_output(), out));
  return out;
}

Result<Evaluator::Step::Results> Evaluator::Step::evaluate() {
  const std::string_view name = base_name(node->op);
  if (name == "zeros" || name == "zeros_like" || name == "new_zeros" || name == "ones" ||
      name == "ones_like" || name == "new_ones") {
    KW_ASSIGN(DeviceTensor only, filled(name.find("one") != std::string_view::npos ? 1 : 0));
    return Results{std::move(only)};
  }
  if (inputs.empty() || (!inputs[0] && !has_attr(*node, "self"))) {
    return fail(Errc::Unsupported, "no tensor argument");
  }
  if (name == "_native_batch_norm_legit_functional" || name == "batch_norm") return batch_norm();
  if (name == "split" || name == "split_with_sizes" || name == "chunk") return split();
  if (name == "lstm" || name == "gru" || name == "rnn_tanh" || name == "rnn_relu") {
    return recurrence(name);
  }
  KW_ASSIGN(DeviceTensor only, evaluate_one());
  Results out(node->outputs.size());
  out[0] = std::move(only);
  return out;
}

Result<DeviceTensor> Evaluator::Step::evaluate_one() {
  const std::string_view name = base_name(node->op);
  if (name == "bitwise_not" && graph->value(node->inputs[0]).dtype == DType::Bool) {
    return pointwise(kNot);
  }
  if (name == "max" || name == "min") return max_or_min(name == "max");
  if (const auto function = pointwise_function(name)) {
    if (is_loss(name)) {
      KW_ASSIGN(const std::int64_t reduction, attr_int_or(*node, "reduction", 1));
      if (reduction != 0) return fail(Errc::Unsupported, "a reduction inside");
    }
    return pointwise(*function);
  }
  if (name == "softmax" || name == "_softmax") return softmax(false);
  if (name == "log_softmax" || name == "_log_softmax") return softmax(true);
  if (is_row_reduction(name)) return row_reduction(name);
  if (name == "norm" || name == "linalg_vector_norm" || name == "frobenius_norm") {
    return vector_norm();
  }
  if (name.ends_with("_norm")) return normalize(name);
  if (is_product(name)) return contraction(name);
  if (is_convolution(name)) {
    KW_ASSIGN(const bool flag, attr_bool_or(*node, "transposed", false));
    return convolution(flag || name.starts_with("conv_transpose"));
  }
  if (is_pool(name)) return pool(name);
  if (name == "cat" || name == "stack") return join(name == "stack");
  if (name == "pad" || name == "constant_pad_nd") return pad();
  if (name == "roll") return roll();
  if (name == "tril" || name == "triu") {
    KW_ASSIGN(const std::int64_t diagonal, attr_int_or(*node, "diagonal", 0));
    return triangle(*inputs[0], name == "tril", diagonal, 0);
  }
  if (name == "embedding" || name == "index") return take();
  if (name == "cumsum" || name == "cumprod") return scan(name == "cumprod");
  if (name == "argmax" || name == "argmin") return position(name == "argmax");
  if (name == "scaled_dot_product_attention") return attention();
  if (name == "einsum") return einsum();
  if (name == "triplet_margin_loss") return triplet_loss();
  if (name == "cross_entropy_loss") return cross_entropy();
  if (name == "masked_fill" || name == "dropout") return masked(name);
  KW_ASSIGN(std::optional<DeviceTensor> moved, index_view(name));
  if (moved) return std::move(*moved);
  return view(name);
}

}  // namespace kw::verify::gpu

// Pointwise functions of one tensor.

#include "functions.h"
#include "operator.h"

namespace kw::reference {
namespace {

template <Num (*F)(Num)>
Result<Outputs> unary(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  return one(map1(call, call.in(0), F));
}

/// Integer-valued steps: an operand whose error spans a step is not judged.
template <double (*F)(double)>
Num step(Num x) {
  if (x.e > 0 && F(x.v - x.e) != F(x.v + x.e)) return {F(x.v), kInf};
  return {F(x.v), 0};
}
double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }  // of NaN: 0, as PyTorch has it
double not_of(double x) { return x == 0 ? 1 : 0; }
double nan_of(double x) { return std::isnan(x) ? 1 : 0; }
double inf_of(double x) { return std::isinf(x) ? 1 : 0; }
double finite_of(double x) { return std::isfinite(x) ? 1 : 0; }
double floor_of(double x) { return std::floor(x); }
double ceil_of(double x) { return std::ceil(x); }
double trunc_of(double x) { return std::trunc(x); }
double round_of(double x) { return std::nearbyint(x); }  // ties to even

Result<Outputs> cast(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  const DType from = call.input_dtype(0);
  const DType to = call.output_dtype();
  Tensor out = call.in(0);
  if (is_floating(from) && to == DType::Bool)
    return one(map1(call, out, [](Num x) {
      return Num{x.v != 0 ? 1.0 : 0.0, x.e > 0 && std::fabs(x.v) <= x.e ? kInf : 0};
    }));
  if (is_floating(from) && !is_floating(to)) return one(map1(call, out, step<trunc_of>));
  return one(std::move(out));
}

Result<Outputs> bitwise_not(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  if (call.input_dtype(0) == DType::Bool) return one(map1(call, call.in(0), step<not_of>));
  return one(map1(call, call.in(0), [](Num x) { return Num{-x.v - 1, x.e}; }));
}

Result<Outputs> gelu(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::string form, attr_string_or(call.node, "approximate", "none"));
  if (form == "tanh") return one(map1(call, call.in(0), gelu_tanh));
  if (form != "none") return fail(Errc::Unsupported, "approximate='{}'", form);
  return one(map1(call, call.in(0), gelu_erf));
}

Result<Outputs> leaky_relu_op(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double slope, attr_number_or(call.node, "negative_slope", 0.01));
  return one(map1(call, call.in(0), [=](Num x) { return leaky_relu(x, slope); }));
}

Result<Outputs> elu_op(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double alpha, attr_number_or(call.node, "alpha", 1));
  KW_ASSIGN(const double scale, attr_number_or(call.node, "scale", 1));
  KW_ASSIGN(const double input_scale, attr_number_or(call.node, "input_scale", 1));
  return one(map1(call, call.in(0), [=](Num x) { return elu(x, alpha, scale, input_scale); }));
}

/// min and max may be numbers or absent; tensors come as further inputs.
Result<Outputs> clamp_between(const Call& call, std::string_view low_name,
                              std::string_view high_name) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  Tensor out = call.in(0);
  if (call.has(1)) {
    KW_ASSIGN(out, map2(call, out, call.in(1), [](Num x, Num low) { return maximum(x, low); }));
  }
  if (call.has(2)) {
    KW_ASSIGN(out, map2(call, out, call.in(2), [](Num x, Num high) { return minimum(x, high); }));
  }
  KW_ASSIGN(const double low, attr_number_or(call.node, low_name, -kInf));
  KW_ASSIGN(const double high, attr_number_or(call.node, high_name, kInf));
  const Num floor = constant(low), ceiling = constant(high);
  return one(map1(call, out, [=](Num x) { return clamp(x, floor, ceiling); }));
}
Result<Outputs> clamp_op(const Call& call) { return clamp_between(call, "min", "max"); }
Result<Outputs> clamp_max(const Call& call) {
  if (!call.has(1)) return clamp_between(call, "", "max");
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  KW_ASSIGN(Tensor out, map2(call, call.in(0), call.in(1), minimum));
  return one(std::move(out));
}
Result<Outputs> hardtanh(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double low, attr_number_or(call.node, "min_val", -1));
  KW_ASSIGN(const double high, attr_number_or(call.node, "max_val", 1));
  return one(
      map1(call, call.in(0), [=](Num x) { return clamp(x, constant(low), constant(high)); }));
}

Result<Outputs> softplus_op(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double beta, attr_number_or(call.node, "beta", 1));
  KW_ASSIGN(const double threshold, attr_number_or(call.node, "threshold", 20));
  return one(map1(call, call.in(0), [=](Num x) { return softplus_with(x, beta, threshold); }));
}

Result<Outputs> threshold(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double limit, attr_number(call.node, "threshold"));
  KW_ASSIGN(const double value, attr_number(call.node, "value"));
  return one(map1(call, call.in(0), [=](Num x) {
    const Num other = constant(value);
    if (x.v - x.e > limit || std::isnan(x.v)) return x;
    if (x.v + x.e <= limit) return other;
    return Num{x.v > limit ? x.v : value, x.e + std::fabs(x.v - value)};
  }));
}

Result<Outputs> glu(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const std::int64_t raw, attr_int_or(call.node, "dim", -1));
  const Tensor& x = call.in(0);
  KW_ASSIGN(const std::size_t dim, wrap_dim(call, raw, x.shape.size()));
  Shape half = x.shape;
  if (half.empty() || half[dim] % 2 != 0) return fail(Errc::InvalidArgument, "odd extent");
  half[dim] /= 2;
  const Shape strides = contiguous_strides(x.shape);
  const Tensor a = gather(x, half, strides, 0);
  const Tensor b = gather(x, half, strides, half[dim] * strides[dim]);
  KW_ASSIGN(Tensor out, map2(call, a, b, [](Num l, Num r) { return l * sigmoid(r); }));
  return one(std::move(out));
}

}  // namespace

std::vector<OperatorEntry> pointwise_operators() {
  return {{"relu", unary<relu>},
          {"relu6", unary<relu6>},
          {"neg", unary<negate>},
          {"abs", unary<abs>},
          {"exp", unary<exp>},
          {"exp2", unary<exp2>},
          {"expm1", unary<expm1>},
          {"log", unary<log>},
          {"log2", unary<log2>},
          {"log10", unary<log10>},
          {"log1p", unary<log1p>},
          {"sqrt", unary<sqrt>},
          {"rsqrt", unary<rsqrt>},
          {"reciprocal", unary<reciprocal>},
          {"square", unary<square>},
          {"sin", unary<sin>},
          {"cos", unary<cos>},
          {"atan", unary<atan>},
          {"sinh", unary<sinh>},
          {"cosh", unary<cosh>},
          {"tanh", unary<tanh>},
          {"erf", unary<erf>},
          {"erfc", unary<erfc>},
          {"sigmoid", unary<sigmoid>},
          {"silu", unary<silu>},
          {"swish", unary<silu>},
          {"mish", unary<mish>},
          {"selu", unary<selu>},
          {"softsign", unary<softsign>},
          {"hardsigmoid", unary<hardsigmoid>},
          {"hardswish", unary<hardswish>},
          {"log_sigmoid", unary<log_sigmoid>},
          {"sign", unary<step<sign_of>>},
          {"floor", unary<step<floor_of>>},
          {"ceil", unary<step<ceil_of>>},
          {"trunc", unary<step<trunc_of>>},
          {"round", unary<step<round_of>>},
          {"logical_not", unary<step<not_of>>},
          {"bitwise_not", bitwise_not},
          {"isnan", unary<step<nan_of>>},
          {"isinf", unary<step<inf_of>>},
          {"isfinite", unary<step<finite_of>>},
          {"gelu", gelu},
          {"leaky_relu", leaky_relu_op},
          {"elu", elu_op},
          {"clamp", clamp_op},
          {"clip", clamp_op},
          {"clamp_min", clamp_op},
          {"clamp_max", clamp_max},
          {"hardtanh", hardtanh},
          {"softplus", softplus_op},
          {"threshold", threshold},
          {"glu", glu},
          {"clone", cast},
          {"contiguous", cast},
          {"detach", cast},
          {"alias", cast},
          {"lift_fresh_copy", cast},
          {"to", cast},
          {"_to_copy", cast},
          {"type_as", cast}};
}

}  // namespace kw::reference

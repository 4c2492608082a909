// Pointwise operators that KernelBench does not use: inverse functions, shrinkages, and the like.

#include "functions.h"
#include "operator.h"

namespace kw::reference {
namespace {

template <Num (*F)(Num)>
Result<Outputs> unary(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  return one(map1(call, call.in(0), F));
}
template <Num (*F)(Num, Num)>
Result<Outputs> binary(const Call& call) {
  Tensor other;
  if (!call.has(1)) {
    KW_ASSIGN(const double number, attr_number(call.node, "other"));
    other = make_tensor({});
    store(other, 0, constant(number));
  }
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(Tensor out, map2(call, call.in(0), call.has(1) ? call.in(1) : other, F));
  return one(std::move(out));
}

// Errors in ulp as the CUDA C++ Programming Guide states them.
Num asin(Num x) {
  return monotone(x, 2, [](double v) { return std::asin(v); });
}
Num acos(Num x) {
  return monotone(x, 2, [](double v) { return std::acos(v); });
}
Num asinh(Num x) {
  return monotone(x, 3, [](double v) { return std::asinh(v); });
}
Num acosh(Num x) {
  return monotone(x, 4, [](double v) { return std::acosh(v); });
}
Num atanh(Num x) {
  return monotone(x, 3, [](double v) { return std::atanh(v); });
}
/// Monotone between its poles; an error that reaches over one leaves the element unjudged.
Num tan(Num x) {
  const double v = std::tan(x.v);
  if (x.e == 0) return settle(v, 0, 4);
  const double low = std::tan(x.v - x.e), high = std::tan(x.v + x.e);
  if (!(x.e < 1) || !(low <= v && v <= high)) return {v, kInf};
  return settle(v, std::fmax(high - v, v - low), 4);
}

Num tanhshrink(Num x) { return x - tanh(x); }
/// Beyond lambda, x moved towards zero by it; zero between.
Result<Outputs> softshrink(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double lambda, attr_number_or(call.node, "lambd", 0.5));
  return one(map1(call, call.in(0), [=](Num x) -> Num {
    if (std::isnan(x.v)) return x;
    const Num l = constant(lambda);
    const Num high = x - l, low = x + l;
    if (x.v > lambda) return high;
    if (x.v < -lambda) return low;
    return {0, std::fabs(x.v) + x.e > lambda ? x.e : 0};
  }));
}

/// x beyond lambda, zero between: whether an element so close to it is kept is not judged.
Result<Outputs> hardshrink(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double lambda, attr_number_or(call.node, "lambd", 0.5));
  return one(map1(call, call.in(0), [=](Num x) -> Num {
    if (std::isnan(x.v)) return x;
    const bool kept = std::fabs(x.v) > lambda;
    const bool doubt = x.e > 0 && std::fabs(std::fabs(x.v) - lambda) <= x.e;
    return {kept ? x.v : 0, doubt ? kInf : kept ? x.e : 0};
  }));
}

Result<Outputs> celu(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 1));
  KW_ASSIGN(const double alpha, attr_number_or(call.node, "alpha", 1));
  return one(map1(call, call.in(0), [=](Num x) { return elu(x, alpha, 1, 1 / alpha); }));
}

Num prelu_of(Num x, Num slope) {
  const Num low = x * slope;
  if (x.v > x.e || std::isnan(x.v)) return x;
  if (x.v < -x.e || x.e == 0) return low;
  return {x.v > 0 ? x.v : low.v, std::fmax(x.e, low.e) * std::fmax(1, std::fabs(slope.v))};
}
/// One slope, or one per channel of dimension 1; _prelu_kernel has it broadcast already.
Result<Outputs> prelu(const Call& call) {
  KW_RETURN_IF_ERROR(need_inputs(call, 2));
  const Tensor& x = call.in(0);
  Tensor slope = call.in(1);
  if (slope.shape.size() == 1 && slope.size() > 1 && x.shape.size() > 1) {
    Shape beside(x.shape.size(), 1);
    beside[1] = slope.shape[0];
    slope.shape = beside;
  }
  KW_ASSIGN(Tensor out, map2(call, x, slope, prelu_of));
  return one(std::move(out));
}

/// Exact on exact operands; a step otherwise.
Num fmod_of(Num a, Num b) {
  const double r = std::fmod(a.v, b.v);
  return {r, a.e > 0 || b.e > 0 ? kInf : 0};
}

enum class Bits { And, Or, Xor };
template <Bits B>
Num bitwise(Num a, Num b) {
  const auto x = static_cast<std::int64_t>(a.v), y = static_cast<std::int64_t>(b.v);
  const std::int64_t r = B == Bits::And ? x & y : B == Bits::Or ? x | y : x ^ y;
  return {static_cast<double>(r), a.e > 0 || b.e > 0 ? kInf : 0};
}

}  // namespace

std::vector<OperatorEntry> further_pointwise_operators() {
  return {{"asin", unary<asin>},
          {"acos", unary<acos>},
          {"tan", unary<tan>},
          {"asinh", unary<asinh>},
          {"acosh", unary<acosh>},
          {"atanh", unary<atanh>},
          {"positive", unary<copy>},
          {"tanhshrink", unary<tanhshrink>},
          {"softshrink", softshrink},
          {"hardshrink", hardshrink},
          {"celu", celu},
          {"prelu", prelu},
          {"_prelu_kernel", prelu},
          {"fmod", binary<fmod_of>},
          {"bitwise_and", binary<bitwise<Bits::And>>},
          {"bitwise_or", binary<bitwise<Bits::Or>>},
          {"bitwise_xor", binary<bitwise<Bits::Xor>>}};
}

}  // namespace kw::reference

#ifndef KW_REFERENCE_FUNCTIONS
#define KW_REFERENCE_FUNCTIONS
// Pointwise functions over Num, each the textbook formula: the running error covers every honest
// FP32 evaluation of it. Compiled by g++ and, after num.h, by NVRTC.

#ifndef __CUDACC_RTC__
#include "num.h"
#endif

namespace kw::reference {

KW_HD_ONCE Num gelu_tanh(Num x) {
  const Num inner = constant(0.79788456080286535588) * (x + constant(0.044715) * (x * x * x));
  return constant(0.5) * x * (constant(1) + tanh(inner));
}
KW_HD_ONCE Num gelu_erf(Num x) {
  return x * constant(0.5) * (constant(1) + erf(x * constant(0.70710678118654752440)));
}
KW_HD Num silu(Num x) {
  if (x.v == -kInf && x.e == 0) return {not_a_number(), 0};  // -inf * 0, as PyTorch has it
  return x * sigmoid(x);
}
KW_HD Num clamp(Num x, Num low, Num high) { return minimum(maximum(x, low), high); }
KW_HD Num negate(Num x) { return -x; }
KW_HD Num copy(Num x) { return x; }
KW_HD Num relu(Num x) { return maximum(x, Num{0, 0}); }
KW_HD Num relu6(Num x) { return clamp(x, {0, 0}, {6, 0}); }
KW_HD Num reciprocal(Num x) { return constant(1) / x; }
KW_HD Num square(Num x) { return x * x; }
KW_HD_ONCE Num sin(Num x) { return settle(KW_MATH(sin)(x.v), KW_MATH(fmin)(x.e, 2), 2); }
KW_HD_ONCE Num cos(Num x) { return settle(KW_MATH(cos)(x.v), KW_MATH(fmin)(x.e, 2), 2); }
KW_HD Num cosh(Num x) {
  const double v = KW_MATH(cosh)(x.v);
  return settle(v, x.e == 0 ? 0 : KW_MATH(cosh)(magnitude(x.v) + x.e) - v, 2);
}
KW_HD Num softsign(Num x) { return x / (constant(1) + abs(x)); }
KW_HD Num mish(Num x) {
  if (x.v == -kInf && x.e == 0) return {not_a_number(), 0};
  return x * tanh(softplus(x));
}
KW_HD Num hardsigmoid(Num x) { return clamp(x + constant(3), {0, 0}, {6, 0}) / constant(6); }
KW_HD Num hardswish(Num x) { return x * hardsigmoid(x); }
KW_HD Num log_sigmoid(Num x) { return -softplus(-x); }
KW_HD Num selu(Num x) {
  const Num scale = constant(1.0507009873554804934193349852946);
  const Num alpha = constant(1.6732632423543772848170429916717);
  return x.v > 0 ? scale * x : scale * (alpha * expm1(x));
}
KW_HD Num leaky_relu(Num x, double slope) {
  if (x.v > x.e) return x;
  const Num low = x * constant(slope);
  if (x.v < -x.e || x.e == 0) return low;
  // The kink lies within the error; both sides agree at 0.
  return {x.v > 0 ? x.v : low.v, larger(x.e, low.e) * larger(1, magnitude(slope))};
}
KW_HD Num elu(Num x, double alpha, double scale, double input_scale) {
  if (x.v > 0) return constant(scale) * x;
  return constant(scale * alpha) * expm1(x * constant(input_scale));
}
KW_HD Num softplus_with(Num x, double beta, double threshold) {
  const Num scaled = x * constant(beta);
  const Num smooth = softplus(scaled) / constant(beta);
  if (scaled.v - scaled.e > threshold) return x;
  if (scaled.v + scaled.e <= threshold) return smooth;
  return {smooth.v, larger(smooth.e, x.e) + magnitude(smooth.v - x.v)};
}

/// x - log(sum of exp), where `sum` is that of exp(x_i - top). Honest kernels subtract the maximum and
/// the logarithm one after the other, or add them first, as PyTorch's CUDA kernels do: that rounds at
/// the size of the log-sum-exp, which is the larger error where the data are far from zero.
KW_HD_ONCE Num log_softmax(Num x, Num top, Num sum) {
  const Num rest = log(sum);
  const Num apart = (x - top) - rest, together = x - (top + rest);
  return {apart.v, larger(apart.e, together.e)};
}

KW_HD Num times(Num a, Num b) { return a * b; }
KW_HD Num quotient(Num a, Num b) { return a / b; }
KW_HD Num plus_scaled(Num a, Num b, Num alpha) { return a + alpha * b; }
KW_HD Num minus_scaled(Num a, Num b, Num alpha) { return a - alpha * b; }

KW_HD_ONCE Num power(Num x, Num p) {
  const double v = KW_MATH(pow)(x.v, p.v);
  if (x.e == kInf || p.e == kInf) return {v, kInf};
  if (p.e == 0) {
    if (p.v == 0) return {1, 0};
    if (p.v == 1) return x;
    if (p.v == 2) return x * x;
    if (p.v == 3) return x * x * x;
    if (p.v == 0.5) return sqrt(x);
    if (p.v == -1) return constant(1) / x;
  }
  if (is_nan(v)) return {v, x.e > 0 ? kInf : 0};
  double spread = 0;
  for (int corner = 0; corner < 4; ++corner) {
    const double w = KW_MATH(pow)(x.v + (corner & 1 ? x.e : -x.e), p.v + (corner & 2 ? p.e : -p.e));
    spread = is_nan(w) ? kInf : larger(spread, magnitude(w - v));
  }
  if (x.e >= magnitude(x.v) && x.e > 0) spread = larger(spread, magnitude(v));  // crosses zero
  return settle(v, is_inf(v) && is_nan(spread) ? 0 : spread, 8);
}

// ---- losses, term by term
KW_HD Num squared_difference(Num x, Num y) { return (x - y) * (x - y); }
KW_HD Num absolute_difference(Num x, Num y) { return abs(x - y); }
/// Quadratic below the threshold, linear above; the two meet smoothly, so that an element whose
/// error spans the seam is covered by either branch's error.
KW_HD Num smooth_l1_term(Num x, Num y, double beta) {
  const Num d = abs(x - y), b = constant(beta);
  return d.v < beta ? constant(0.5) * d * d / b : d - constant(0.5) * b;
}
KW_HD Num huber_term(Num x, Num y, double delta) {
  const Num d = abs(x - y), b = constant(delta);
  return d.v <= delta ? constant(0.5) * d * d : b * (d - constant(0.5) * b);
}
/// target * (log target - input), 0 where the target is 0.
KW_HD Num kl_term(Num x, Num t) {
  if (t.v == 0 && t.e == 0 && is_finite(x.v)) return {0, 0};
  return t * (log(t) - x);
}

}  // namespace kw::reference

#endif

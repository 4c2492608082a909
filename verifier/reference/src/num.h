#pragma once
// A number with the largest error that an honest FP32 evaluation may have: running error analysis.
//
// Each operation adds the propagated error of its operands, `ulps` units in the last place of its
// result (1 ulp <= 2^-23 |v|), and one denormal quantum. Monotone functions propagate by interval
// evaluation, which stays right where first-order analysis does not. An infinite error means "not
// judged" and is sticky. Non-finite results are exact unless an operand was in doubt.

#include <cmath>
#include <limits>

namespace kw::reference {

struct Num {
  double v = 0;
  double e = 0;
};

inline constexpr double kUlp = 0x1p-23;    // one unit in the last place, relative, at most
inline constexpr double kTiny = 0x1p-149;  // smallest denormal of FP32
inline constexpr double kInf = std::numeric_limits<double>::infinity();

/// A result v whose operands contributed `propagated`, computed to `ulps`.
inline Num settle(double v, double propagated, double ulps) {
  if (propagated == kInf || std::isnan(propagated)) return {v, kInf};
  if (!std::isfinite(v)) return {v, 0};
  return {v, propagated + ulps * kUlp * (std::fabs(v) + propagated) + kTiny};
}
inline bool in_doubt(Num a) { return a.e > 0; }
/// An exact constant, or one rounded to FP32 by whoever uses it.
inline Num constant(double v) {
  const bool exact = !std::isfinite(v) || static_cast<double>(static_cast<float>(v)) == v;
  return {v, exact ? 0.0 : std::fabs(v) * 0x1p-24};
}

inline Num operator-(Num a) { return {-a.v, a.e}; }
inline Num operator+(Num a, Num b) {
  if (a.e == 0 && b.v == 0 && b.e == 0) return a;
  if (b.e == 0 && a.v == 0 && a.e == 0) return b;
  return settle(a.v + b.v, a.e + b.e, 0.5);
}
inline Num operator-(Num a, Num b) { return a + (-b); }
inline Num operator*(Num a, Num b) {
  const double v = a.v * b.v;
  if (!std::isfinite(v)) {  // the sign, or 0 * inf, may hang on an operand in doubt
    const bool doubt =
        (std::fabs(a.v) <= a.e && in_doubt(a)) || (std::fabs(b.v) <= b.e && in_doubt(b));
    return {v, doubt || a.e == kInf || b.e == kInf ? kInf : 0};
  }
  if (a.e == kInf || b.e == kInf) return {v, kInf};
  if (a.e == 0 && b.e == 0 && (std::fabs(a.v) == 1 || std::fabs(b.v) == 1 || v == 0)) {
    const bool exact = std::fabs(a.v) == 1 || std::fabs(b.v) == 1 || a.v == 0 || b.v == 0;
    if (exact) return {v, 0};
  }
  return settle(v, std::fabs(a.v) * b.e + std::fabs(b.v) * a.e + a.e * b.e, 0.5);
}
/// Two ulps: a product with a correctly rounded reciprocal is honest.
inline Num operator/(Num a, Num b) {
  const double v = a.v / b.v;
  if (a.e == kInf || b.e == kInf) return {v, kInf};
  const double low = std::fabs(b.v) - b.e;
  if (in_doubt(b) && low <= 0) return {v, kInf};
  if (!std::isfinite(v)) return {v, in_doubt(a) && std::fabs(a.v) <= a.e ? kInf : 0};
  if (std::isinf(b.v)) return {v, 0};
  if (a.e == 0 && b.e == 0 && std::fabs(b.v) == 1) return {v, 0};
  return settle(v, (a.e + std::fabs(v) * b.e) / low, 2);
}

/// f monotone over [v - e, v + e]; an end outside the domain (NaN) leaves the element unjudged.
template <typename F>
Num monotone(Num a, double ulps, F f) {
  const double v = f(a.v);
  if (a.e == 0 || std::isnan(a.v)) return settle(v, a.e == kInf ? kInf : 0, ulps);
  if (a.e == kInf) return {v, kInf};
  const double spread = std::fmax(std::fabs(f(a.v + a.e) - v), std::fabs(f(a.v - a.e) - v));
  const bool outside = std::isnan(f(a.v + a.e)) || std::isnan(f(a.v - a.e));
  if (std::isinf(v))
    return {v, std::isfinite(f(a.v - a.e)) || std::isfinite(f(a.v + a.e)) ? kInf : 0};
  return settle(v, outside || std::isnan(v) ? kInf : spread, ulps);
}

// Errors of CUDA's FP32 functions, in ulp, as the CUDA C++ Programming Guide states them (the
// larger figure where releases differ).
inline Num exp(Num a) {
  return monotone(a, 2, [](double x) { return std::exp(x); });
}
inline Num expm1(Num a) {
  return monotone(a, 1, [](double x) { return std::expm1(x); });
}
inline Num log(Num a) {
  return monotone(a, 1, [](double x) { return std::log(x); });
}
inline Num log1p(Num a) {
  return monotone(a, 1, [](double x) { return std::log1p(x); });
}
inline Num tanh(Num a) {
  return monotone(a, 2, [](double x) { return std::tanh(x); });
}
inline Num erf(Num a) {
  return monotone(a, 2, [](double x) { return std::erf(x); });
}
inline Num sqrt(Num a) {
  return monotone(a, 0.5, [](double x) { return std::sqrt(x); });
}
inline Num rsqrt(Num a) {
  return monotone(a, 2, [](double x) { return 1 / std::sqrt(x); });
}
/// 1/(1+exp(-x)). exp may underflow or overflow on the way to a denormal result, hence the floor.
inline Num sigmoid(Num a) {
  Num r = monotone(a, 4, [](double x) { return 1 / (1 + std::exp(-x)); });
  if (r.e != kInf && std::isfinite(r.v)) r.e += 0x1p-126;
  return r;
}
/// log(1+exp(x)): max(x,0) + log1p(exp(-|x|)), or log1p(exp(x)).
inline Num softplus(Num a) {
  return monotone(a, 4, [](double x) {
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  });
}

/// max and min as PyTorch has them: NaN wins.
inline Num maximum(Num a, Num b) {
  if (std::isnan(a.v)) return a;
  if (std::isnan(b.v)) return b;
  if (a.e == 0 && b.e == 0) return a.v >= b.v ? a : b;
  if (a.v - a.e >= b.v + b.e) return a;
  if (b.v - b.e >= a.v + a.e) return b;
  return {std::fmax(a.v, b.v), std::fmax(a.e, b.e)};
}
inline Num minimum(Num a, Num b) { return -maximum(-a, -b); }
inline Num abs(Num a) { return {std::fabs(a.v), a.e}; }

}  // namespace kw::reference

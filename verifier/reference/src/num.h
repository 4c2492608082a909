#ifndef KW_REFERENCE_NUM
#define KW_REFERENCE_NUM
// A number with the largest error that an honest FP32 evaluation may have: running error analysis.
//
// Each operation adds the propagated error of its operands, `ulps` units in the last place of its
// result (1 ulp <= 2^-23 |v|), and one denormal quantum. Monotone functions propagate by interval
// evaluation, which stays right where first-order analysis does not. An infinite error means "not
// judged" and is sticky. Non-finite results are exact unless an operand was in doubt.
//
// g++ compiles this text for the CPU and NVRTC for the reference on a GPU, where there is no
// <cmath> and the functions live in the global namespace.

#ifdef __CUDACC_RTC__
#define KW_HD __device__ inline
#define KW_HD_ONCE __device__ __noinline__  // long bodies: one copy each
#define KW_MATH(name) ::name
#else
#include <cmath>
#define KW_HD inline
#define KW_HD_ONCE inline
#define KW_MATH(name) std::name
#endif

namespace kw::reference {

struct Num {
  double v = 0;
  double e = 0;
};

constexpr double kUlp = 1.0 / (1 << 23);         // one unit in the last place, relative, at most
constexpr double kTiny = 1.401298464324817e-45;  // 2^-149, smallest denormal of FP32
constexpr double kTinyNormal = 1.1754943508222875e-38;  // 2^-126
constexpr double kInf = __builtin_bit_cast(double, 0x7FF0000000000000ull);

KW_HD double magnitude(double x) { return KW_MATH(fabs)(x); }
KW_HD bool is_nan(double x) { return x != x; }
KW_HD bool is_inf(double x) { return magnitude(x) == kInf; }
KW_HD bool is_finite(double x) { return magnitude(x) < kInf; }
KW_HD double not_a_number() { return kInf - kInf; }
KW_HD double larger(double a, double b) { return KW_MATH(fmax)(a, b); }

/// A result v whose operands contributed `propagated`, computed to `ulps`.
KW_HD Num settle(double v, double propagated, double ulps) {
  if (propagated == kInf || is_nan(propagated)) return {v, kInf};
  if (!is_finite(v)) return {v, 0};
  return {v, propagated + ulps * kUlp * (magnitude(v) + propagated) + kTiny};
}
KW_HD bool in_doubt(Num a) { return a.e > 0; }
KW_HD bool is_exactly_zero(Num a) { return a.v == 0 && a.e == 0; }
KW_HD bool is_exactly_one(Num a) { return magnitude(a.v) == 1 && a.e == 0; }
/// An exact constant, or one rounded to FP32 by whoever uses it.
KW_HD Num constant(double v) {
  const bool exact = !is_finite(v) || static_cast<double>(static_cast<float>(v)) == v;
  return {v, exact ? 0.0 : magnitude(v) * (kUlp / 2)};
}

KW_HD Num operator-(Num a) { return {-a.v, a.e}; }
KW_HD Num operator+(Num a, Num b) {
  if (is_exactly_zero(b)) return a;
  if (is_exactly_zero(a)) return b;
  return settle(a.v + b.v, a.e + b.e, 0.5);
}
KW_HD Num operator-(Num a, Num b) { return a + (-b); }
KW_HD Num operator*(Num a, Num b) {
  const double v = a.v * b.v;
  if (a.e == kInf || b.e == kInf) return {v, kInf};
  if (!is_finite(v)) {  // the sign, or 0 * inf, may hang on an operand in doubt
    const bool doubt =
        (in_doubt(a) && magnitude(a.v) <= a.e) || (in_doubt(b) && magnitude(b.v) <= b.e);
    return {v, doubt ? kInf : 0};
  }
  if (is_exactly_one(a)) return {v, b.e};
  if (is_exactly_one(b)) return {v, a.e};
  if (is_exactly_zero(a) || is_exactly_zero(b)) return {v, 0};
  return settle(v, magnitude(a.v) * b.e + magnitude(b.v) * a.e + a.e * b.e, 0.5);
}
/// Two ulps: a product with a correctly rounded reciprocal is honest.
KW_HD Num operator/(Num a, Num b) {
  const double v = a.v / b.v;
  if (a.e == kInf || b.e == kInf) return {v, kInf};
  const double low = magnitude(b.v) - b.e;
  if (in_doubt(b) && low <= 0) return {v, kInf};
  if (!is_finite(v)) return {v, in_doubt(a) && magnitude(a.v) <= a.e ? kInf : 0};
  if (is_inf(b.v)) return {v, 0};
  if (is_exactly_one(b)) return {v, a.e};
  return settle(v, (a.e + magnitude(v) * b.e) / low, 2);
}

/// f monotone over [v - e, v + e]; an end outside the domain (NaN) leaves the element unjudged.
template <typename F>
KW_HD Num monotone(Num a, double ulps, F f) {
  const double v = f(a.v);
  if (a.e == 0 || is_nan(a.v)) return settle(v, a.e == kInf ? kInf : 0, ulps);
  if (a.e == kInf) return {v, kInf};
  const double low = f(a.v - a.e), high = f(a.v + a.e);
  if (is_inf(v)) return {v, is_finite(low) || is_finite(high) ? kInf : 0};
  if (is_nan(v) || is_nan(low) || is_nan(high)) return {v, kInf};
  return settle(v, larger(magnitude(high - v), magnitude(low - v)), ulps);
}

// Errors of CUDA's FP32 functions, in ulp, as the CUDA C++ Programming Guide states them (the
// larger figure where releases differ).
#define KW_MONOTONE(name, ulps)                                          \
  KW_HD_ONCE Num name(Num a) {                                           \
    return monotone(a, ulps, [](double x) { return KW_MATH(name)(x); }); \
  }
KW_MONOTONE(exp, 2)
KW_MONOTONE(exp2, 2)
KW_MONOTONE(expm1, 1)
KW_MONOTONE(log, 1)
KW_MONOTONE(log2, 1)
KW_MONOTONE(log10, 2)
KW_MONOTONE(log1p, 1)
KW_MONOTONE(tanh, 2)
KW_MONOTONE(erf, 2)
KW_MONOTONE(erfc, 4)
KW_MONOTONE(atan, 2)
KW_MONOTONE(sinh, 3)
KW_MONOTONE(sqrt, 0.5)
#undef KW_MONOTONE
KW_HD_ONCE Num rsqrt(Num a) {
  return monotone(a, 2, [](double x) { return 1 / KW_MATH(sqrt)(x); });
}
/// 1/(1+exp(-x)). exp may underflow or overflow on the way to a denormal result, hence the floor.
KW_HD_ONCE Num sigmoid(Num a) {
  Num r = monotone(a, 4, [](double x) { return 1 / (1 + KW_MATH(exp)(-x)); });
  if (r.e != kInf && is_finite(r.v)) r.e += kTinyNormal;
  return r;
}
/// log(1+exp(x)): max(x,0) + log1p(exp(-|x|)), or log1p(exp(x)).
KW_HD_ONCE Num softplus(Num a) {
  return monotone(a, 4, [](double x) {
    return x > 0 ? x + KW_MATH(log1p)(KW_MATH(exp)(-x)) : KW_MATH(log1p)(KW_MATH(exp)(x));
  });
}

/// max and min as PyTorch has them: NaN wins.
KW_HD Num maximum(Num a, Num b) {
  if (is_nan(a.v)) return a;
  if (is_nan(b.v)) return b;
  if (a.e == 0 && b.e == 0) return a.v >= b.v ? a : b;
  if (a.v - a.e >= b.v + b.e) return a;
  if (b.v - b.e >= a.v + a.e) return b;
  return {larger(a.v, b.v), larger(a.e, b.e)};
}
KW_HD Num minimum(Num a, Num b) { return -maximum(-a, -b); }
KW_HD Num abs(Num a) { return {magnitude(a.v), a.e}; }

/// sqrt and 1/sqrt(x + eps) of a quantity that no honest kernel computes as negative.
KW_HD Num sqrt_nonnegative(Num x) {
  if (x.e == kInf || !is_finite(x.v)) return {KW_MATH(sqrt)(x.v), x.e};
  const double v = KW_MATH(sqrt)(larger(x.v, 0));
  const double low = KW_MATH(sqrt)(larger(x.v - x.e, 0));
  const double high = KW_MATH(sqrt)(larger(x.v, 0) + x.e);
  return settle(v, larger(v - low, high - v), 0.5);
}
KW_HD_ONCE Num inverse_root(Num x, double eps) {
  const Num shift = constant(eps);
  const double v = 1 / KW_MATH(sqrt)(x.v + eps);
  if (x.e == kInf || is_nan(x.v)) return {v, x.e == kInf ? kInf : 0};
  if (is_inf(x.v)) return {0, 0};
  const double floor = larger(x.v - x.e, 0) + eps - shift.e;
  const double high = floor > 0 ? 1 / KW_MATH(sqrt)(floor) : kInf;
  const double low = 1 / KW_MATH(sqrt)(x.v + x.e + eps + shift.e);
  return settle(v, larger(high - v, v - low), 2.5);
}

/// exp(x - m) as a term of a softmax: the difference is rounded, and may be scaled by log2(e)
/// before a base-2 exponential; an online kernel rescales by products that round the same way.
/// Relative error 2^-24 (3|x-m| + 6), which also pays for ex2.approx.
KW_HD_ONCE Num softmax_term(Num x, double m) {
  const double d = x.v - m;
  const double v = KW_MATH(exp)(d);
  if (x.e == kInf || is_nan(v)) return {v, x.e};
  if (is_inf(d)) return {v, 0};  // exp(-inf) is exactly 0
  const double relative = KW_MATH(expm1)(x.e) + kUlp / 2 * (3 * magnitude(d) + 6);
  return {v, v * relative + kTinyNormal};
}

/// Totals over the terms of a sum: values, magnitudes, errors.
struct Totals {
  double v = 0, c = 0, e = 0;
};
KW_HD Totals operator+(Totals a, Totals b) { return {a.v + b.v, a.c + b.c, a.e + b.e}; }
KW_HD Totals totals_of(Num term) { return {term.v, magnitude(term.v), term.e}; }

constexpr double kLargestFloat = 3.4028234663852886e38;

/// A sum of n terms as a contraction with ones whose factor is g. Partial sums may overflow on the
/// way when magnitudes approach FP32's range.
KW_HD Num finish_sum(Totals t, double n, double g) {
  if (is_nan(t.e) || t.e == kInf) return {t.v, kInf};
  if (!is_finite(t.c)) return {t.v, 0};  // a term was NaN or Inf: so is the sum, exactly
  if (t.c > kLargestFloat / 4) return {t.v, kInf};
  if (n == 1) return {t.v, t.e};
  return {t.v, t.e + g * t.c + kUlp * 2 * magnitude(t.v) + n * kTiny};
}

/// Variance with n - correction degrees of freedom, from totals over (x - mean)^2 whose errors are
/// 2 |x - mean| e + e^2.
///
/// Its error has: the operands' own errors; its sum's bound; the square of the mean's error (a
/// two-pass kernel uses a rounded mean); and the rounding of x - mean when the mean is large, which
/// Welford's and Chan's updates see as 2^-22 |mean| sigma. The naive E[x^2] - mean^2 is not covered
/// when the mean is large, and should not be.
KW_HD Num finish_variance(Totals squares, Num mean, double n, double correction, double g) {
  const double dof = larger(n - correction, 0);
  const double v = squares.v / dof;
  if (mean.e == kInf || is_nan(squares.e) || squares.e == kInf) {
    return {v, is_finite(mean.v) || mean.e == kInf ? kInf : 0};
  }
  if (!is_finite(v)) return {v, 0};
  if (squares.v > kLargestFloat / 4) return {v, kInf};
  const double e = squares.e / dof + (g + 2 * kUlp) * v + mean.e * mean.e * n / dof +
                   2 * kUlp * magnitude(mean.v) * KW_MATH(sqrt)(v) + n * kTiny;
  return {v, e};
}
KW_HD Num squared_deviation(Num x, double mean) {
  const double d = x.v - mean;
  return {d * d, 2 * magnitude(d) * x.e + x.e * x.e};
}

/// Bound of a contracted element: c is the sum of magnitudes, `propagated` what the operands' own
/// errors add, k the terms, g the policy's factor.
KW_HD double contraction_bound(double value, double c, double propagated, double k, double g) {
  if (is_nan(propagated) || propagated == kInf) return kInf;
  if (!is_finite(value)) return 0;
  if (g == 0) return propagated;  // policy `exact`
  if (c > kLargestFloat / 4) return kInf;
  return propagated + 2 * kUlp * magnitude(value) + g * c + (k + 1) * kTiny;
}

/// True when FP16 (roundoff 2^-10) or BF16 (2^-8) holds v exactly.
KW_HD bool narrow_holds(double v, double roundoff) {
  const float f = static_cast<float>(v);
  if (static_cast<double>(f) != v) return false;
  const bool half = roundoff * 1024 == 1;
  const unsigned low = __builtin_bit_cast(unsigned, f) & (half ? 0x1FFFu : 0xFFFFu);
  const double quanta = v * 16777216;  // of FP16's denormals
  return low == 0 && (!half || KW_MATH(floor)(quanta) == quanta);
}

/// Where FP32 (or a narrower type, `limit`) overflows although double did not, and the roundoff of
/// a narrow type. What is exact and fits stays exact.
KW_HD Num settle_output(Num n, double limit, double roundoff, double quantum) {
  if (!is_finite(n.v) || n.e == kInf) return n;
  if (is_nan(n.e)) return {n.v, kInf};
  const double a = magnitude(n.v);
  if (a + n.e > limit) {
    const bool certain = a - n.e > limit * (1 + 1.0 / 128);
    return certain ? Num{n.v > 0 ? kInf : -kInf, 0} : Num{n.v, kInf};
  }
  if (roundoff == 0 || (n.e == 0 && narrow_holds(n.v, roundoff))) return n;
  return {n.v, n.e + roundoff * a + quantum};
}

}  // namespace kw::reference

#endif

#pragma once
// Means, variances and softmax sums with the errors that honest one-pass, two-pass and online
// kernels have. Used by reductions, normalisations and losses.

#include <vector>

#include "operator.h"

namespace kw::reference {

/// sqrt and rsqrt of a quantity that no honest kernel computes as negative.
inline Num sqrt_nonnegative(Num x) {
  if (x.e == kInf || !std::isfinite(x.v)) return {std::sqrt(x.v), x.e};
  const double v = std::sqrt(std::fmax(x.v, 0));
  const double low = std::sqrt(std::fmax(x.v - x.e, 0));
  const double high = std::sqrt(std::fmax(x.v, 0) + x.e);
  return settle(v, std::fmax(v - low, high - v), 0.5);
}
/// 1/sqrt(x + eps) for x >= 0.
inline Num inverse_root(Num x, double eps) {
  const Num shift = constant(eps);
  const double v = 1 / std::sqrt(x.v + eps);
  if (x.e == kInf || std::isnan(x.v)) return {v, x.e == kInf ? kInf : 0};
  if (std::isinf(x.v)) return {0, 0};
  const double floor = std::fmax(x.v - x.e, 0) + eps - shift.e;
  const double high = floor > 0 ? 1 / std::sqrt(floor) : kInf;
  const double low = 1 / std::sqrt(x.v + x.e + eps + shift.e);
  return settle(v, std::fmax(high - v, v - low), 2.5);
}

struct Moments {
  Num mean;
  Num variance;
};
/// Mean and variance with n - correction degrees of freedom.
///
/// The variance's error has: the operands' own errors, 2/n sum |x - mean| e; its sum's bound; the
/// square of the mean's error (a two-pass kernel that uses a rounded mean); and the rounding of
/// x - mean when the mean is large, which Welford's and Chan's updates see as 2^-22 |mean| sigma.
/// The naive E[x^2] - mean^2 is not covered when the mean is large, and should not be.
template <typename F>
Moments moments(const Options& options, std::size_t n, F element, double correction) {
  const double count = static_cast<double>(n);
  Moments m;
  m.mean = sum_terms(options, n, element).sum / constant(count);
  const double dof = std::fmax(count - correction, 0);
  double squares = 0, spread = 0, largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Num x = element(i);
    const double d = x.v - m.mean.v;
    squares += d * d;
    largest = std::fmax(largest, std::fabs(x.v));
    spread += 2 * std::fabs(d) * x.e + x.e * x.e;
  }
  const double v = squares / dof;
  if (m.mean.e == kInf || std::isnan(spread)) {
    m.variance = {v, std::isfinite(m.mean.v) || m.mean.e == kInf ? kInf : 0};
    return m;
  }
  if (!std::isfinite(v)) {
    m.variance = {v, 0};
    return m;
  }
  if (squares > largest_finite(DType::F32) / 4) {
    m.variance = {v, kInf};
    return m;
  }
  const double g = contraction_factor(PolicyClass::Ieee, count, false, options.few_valued);
  const double sigma = std::sqrt(v);
  const double e = spread / dof + (g + 0x1p-22) * v + m.mean.e * m.mean.e * count / dof +
                   0x1p-22 * std::fabs(m.mean.v) * sigma + count * kTiny;
  m.variance = {v, e};
  return m;
}

/// The parts of a softmax over n terms: its maximum, exp(x_i - max) and their sum.
struct Softmax {
  Num maximum;
  Num sum;
  std::vector<Num> exponentials;
};
/// exp(x - m): the difference is rounded, and may be scaled by log2(e) before a base-2 exponential;
/// an online kernel rescales by products that round the same way. Relative error 2^-24 (3|x-m| +
/// 6), which also pays for ex2.approx.
template <typename F>
Softmax softmax_terms(const Options& options, std::size_t n, F element) {
  Softmax s;
  s.maximum = n > 0 ? element(0) : Num{-kInf, 0};
  for (std::size_t i = 1; i < n; ++i) s.maximum = maximum(s.maximum, element(i));
  const double m = s.maximum.v;
  s.exponentials.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const Num x = element(i);
    const double d = x.v - m;
    const double v = std::exp(d);
    Num& t = s.exponentials[i];
    if (x.e == kInf || std::isnan(v)) {
      t = {v, x.e};
    } else if (std::isinf(d)) {  // exp(-inf) is exactly 0
      t = {v, 0};
    } else {
      t = {v, v * (std::expm1(x.e) + 0x1p-24 * (3 * std::fabs(d) + 6)) + 0x1p-126};
    }
  }
  s.sum = sum_terms(options, n, [&](std::size_t i) { return s.exponentials[i]; }).sum;
  return s;
}

}  // namespace kw::reference

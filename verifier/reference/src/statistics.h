#pragma once
// Means, variances and softmax sums with the errors that honest one-pass, two-pass and online
// kernels have. Used by reductions, normalisations and losses.

#include <vector>

#include "operator.h"

namespace kw::reference {

struct Moments {
  Num mean;
  Num variance;
};
/// Mean and variance with n - correction degrees of freedom.
template <typename F>
Moments moments(const Options& options, std::size_t n, F element, double correction) {
  const double count = static_cast<double>(n);
  const double g = contraction_factor(PolicyClass::Ieee, count, false, options.few_valued);
  Moments m;
  m.mean = sum_terms(options, n, element).sum / constant(count);
  Totals squares;
  for (std::size_t i = 0; i < n; ++i) {
    squares = squares + totals_of(squared_deviation(element(i), m.mean.v));
  }
  m.variance = finish_variance(squares, m.mean, count, correction, g);
  return m;
}

/// The parts of a softmax over n terms: its maximum, exp(x_i - max) and their sum.
struct Softmax {
  Num maximum;
  Num sum;
  std::vector<Num> exponentials;
};
template <typename F>
Softmax softmax_terms(const Options& options, std::size_t n, F element) {
  Softmax s;
  s.maximum = n > 0 ? element(0) : Num{-kInf, 0};
  for (std::size_t i = 1; i < n; ++i) s.maximum = maximum(s.maximum, element(i));
  s.exponentials.resize(n);
  for (std::size_t i = 0; i < n; ++i) s.exponentials[i] = softmax_term(element(i), s.maximum.v);
  s.sum = sum_terms(options, n, [&](std::size_t i) { return s.exponentials[i]; }).sum;
  return s;
}

}  // namespace kw::reference

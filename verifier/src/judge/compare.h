#pragma once
// An output against its reference: where NaN and Inf are first, then values in units of the bound.

#include <cstdint>
#include <span>
#include <string>

#include "kw/core/value.h"
#include "kw/reference/tensor.h"

namespace kw::verify {

struct Comparison {
  std::int64_t elements = 0;
  std::int64_t judged = 0;  // elements with a finite bound
  std::int64_t wrong = 0;   // of those, outside their bound or of another kind (NaN, Inf)
  std::int64_t finite = 0;  // judged elements whose reference is finite
  double worst = 0;         // largest error in units of its bound; infinite where the bound is 0
  double mean_signed = 0;   // mean of error / c over contraction elements
  double mean_allowed = 0;  // what that mean may be; 0: not tested
  std::int64_t worst_index = -1;  // flat index of the first wrong element, or of the worst
  double expected = 0, got = 0, bound = 0;

  bool biased() const;
  bool passed() const { return wrong == 0 && !biased(); }
};

struct CompareRules {
  /// The policy is `ieee`, and |mean signed error| must stay within (2^-20 + 2^-23 sqrt(k/n)) c:
  /// the policy's allowance, and the statistical error of a mean over n elements.
  bool test_mean = false;
  /// The task does not ask for equal bits, so float atomics may add up a sum, and GPUs flush
  /// subnormals there: each of its k terms may lose 2^-126.
  bool atomics = false;
  double k = 1;  // terms
  /// Terms of a chain that share their low bits, as coherent numbers times codes of few bits do:
  /// where one unit of the partial sum ends among those bits they all round the same way. An honest
  /// chain then errs by up to 2^-27 of c for each of them and is biased by 2^-29 (calibrated:
  /// judge_calibration.md). 0: none.
  double alike = 0;

  /// Both are added to an element's bound, the second times c.
  double flushed() const;
  double alike_share() const;
  /// What the mean of n errors over c may be; 0 where it is not tested.
  double mean_allowed(double n) const;
};
/// No honest FP32 chain of products holds more terms that are alike.
inline constexpr double kLongestChainAlike = 4096;

/// `bytes` hold the output as it lies in memory (dtype and strides of `value`).
Result<Comparison> compare(const Value& value, const reference::Tensor& expected,
                           std::span<const std::byte> bytes, const CompareRules& rules);

}  // namespace kw::verify

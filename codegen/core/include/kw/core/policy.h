#pragma once
// What arithmetic a task allows, and what its results are judged by.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kw/core/dtype.h"
#include "kw/core/result.h"

namespace kw {

/// The arithmetic of one operator class.
struct Numerics {
  int product_roundoff_log2 = -20;  // relative error allowed in one product of operands
  int promote_every = 128;  // tensor-core partial sums reach an FP32 register by a rounding add at
                            // least every so many of K; 0: no promotion asked for
  DType accumulate = DType::F32;
  DType output = DType::F32;

  bool operator==(const Numerics&) const = default;
};

enum class PolicyClass { Ieee, Tf32, Half, Exact };

/// Numerics per operator class. Pointwise work and reductions are always at least as exact as
/// `other`.
struct Policy {
  PolicyClass contraction = PolicyClass::Ieee;
  PolicyClass convolution = PolicyClass::Ieee;
  PolicyClass recurrence = PolicyClass::Ieee;
  PolicyClass other = PolicyClass::Ieee;

  bool operator==(const Policy&) const = default;
};

Numerics numerics_of(PolicyClass policy) noexcept;
std::string_view to_string(PolicyClass policy) noexcept;
std::optional<PolicyClass> parse_policy_class(std::string_view text) noexcept;
/// The preset of one class everywhere: "ieee", "tf32", "half", "exact".
Policy preset(PolicyClass policy) noexcept;
/// One word when all classes agree, otherwise "contraction=ieee,convolution=tf32,...".
std::string to_string(const Policy& policy);
Result<Policy> parse_policy(std::string_view text);

}  // namespace kw

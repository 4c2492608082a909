#pragma once
// The bound of one contracted element.

#include <cmath>

#include "kw/reference/interpret.h"
#include "num.h"

namespace kw::reference {

struct ContractionRule {
  PolicyClass policy = PolicyClass::Ieee;
  bool narrow_operands = false;
  bool few_valued = false;

  /// `c`: sum of magnitudes; `propagated`: what the operands' own errors add; k: terms. An element
  /// whose magnitudes approach FP32's range may overflow on the way, so it is not judged.
  double bound(double value, double c, double propagated, std::size_t k) const {
    if (std::isnan(propagated) || propagated == kInf) return kInf;
    if (!std::isfinite(value)) return 0;
    if (c > largest_finite(DType::F32) / 4) return kInf;
    const double terms = static_cast<double>(k);
    return propagated + 0x1p-22 * std::fabs(value) +
           contraction_factor(policy, terms, narrow_operands, few_valued) * c + (terms + 1) * kTiny;
  }
};

}  // namespace kw::reference

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
    const auto terms = static_cast<double>(k);
    return contraction_bound(value, c, propagated, terms,
                             contraction_factor(policy, terms, narrow_operands, few_valued));
  }
};

}  // namespace kw::reference

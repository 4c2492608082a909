#ifndef KW_ERROR_UNITS
#define KW_ERROR_UNITS
// One output element against its reference. Compiled by g++ and, after num.h, by NVRTC.

#ifndef __CUDACC_RTC__
#include "num.h"
#endif

namespace kw::reference {

/// Error in units of the bound: 0 when not judged, infinity when of another kind (NaN, Inf) or
/// where no error is allowed. `largest` is the dtype's largest finite value.
KW_HD double error_in_bounds(double expected, double got, double bound, double largest) {
  if (bound == kInf) return 0;
  if (is_nan(expected)) return is_nan(got) ? 0 : kInf;
  if (is_inf(expected)) return got == expected ? 0 : kInf;
  if (is_nan(got)) return kInf;
  if (is_inf(got)) {  // legal only where the error reaches past the largest finite number
    return magnitude(expected) + bound >= largest && (got > 0) == (expected > 0) ? 0 : kInf;
  }
  const double error = magnitude(got - expected);
  if (error == 0) return 0;
  return bound > 0 ? error / bound : kInf;
}

/// The comparison itself may round: a correctly rounded result on the very edge passes.
constexpr double kEdge = 1 + 1.0 / (1 << 20);
/// Magnitudes below this carry no relative error worth averaging.
constexpr double kLeastMagnitude = 7.888609052210118e-31;  // 2^-100

}  // namespace kw::reference

#endif

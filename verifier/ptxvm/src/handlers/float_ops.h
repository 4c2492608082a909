#pragma once
// One lane's floating-point rules: flush to zero, saturation, canonical NaN, minimum and maximum.

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

inline constexpr u32 kNan32 =
    0x7fffffff;  // every f32 arithmetic NaN (PTX ISA, "Floating-Point Instructions")

inline float flush(float x) {
  const u32 bits = bit_cast<u32>(x);
  return bit_cast<float>((bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits);
}
template <bool Ftz>
inline float in32(float x) {
  return Ftz ? flush(x) : x;
}
inline float canonical(float x) { return x == x ? x : bit_cast<float>(kNan32); }
/// .sat clamps to [0, 1]; NaN becomes +0.
inline float saturate(float x) {
  const float low = x > 0.0f ? x : 0.0f;
  return low < 1.0f ? low : 1.0f;
}
template <bool Ftz, bool Sat>
inline float out32(float x) {
  const float y = Ftz ? flush(x) : x;
  return Sat ? saturate(y) : canonical(y);
}

template <class T>
struct Bits;
template <>
struct Bits<float> {
  using type = u32;
};
template <>
struct Bits<double> {
  using type = u64;
};

/// A NaN operand gives the other one; -0 is below +0.
template <class T>
inline T float_max(T a, T b) {
  using U = typename Bits<T>::type;
  const T bigger = a > b ? a : b;
  const T r = a == b ? bit_cast<T>(static_cast<U>(bit_cast<U>(a) & bit_cast<U>(b))) : bigger;
  return b != b ? a : r;
}
template <class T>
inline T float_min(T a, T b) {
  using U = typename Bits<T>::type;
  const T smaller = a < b ? a : b;
  const T r = a == b ? bit_cast<T>(static_cast<U>(bit_cast<U>(a) | bit_cast<U>(b))) : smaller;
  return b != b ? a : r;
}

inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }

// The hardware's .ftz flushes results that are tiny after rounding with an unbounded exponent: one
// that became exactly 2^-126 only for want of smaller exponents is flushed too. below() tells it
// for |r| = 2^-126; `away` if the rounding mode went away from zero (not to nearest).
inline constexpr float kSmallestNormal = 0x1p-126f;

/// |x| < scale * 2^-126 after rounding to 24 bits; both operands exact.
inline bool tiny_after_rounding(double x, double scale, bool away) {
  const double magnitude = __builtin_fabs(x);
  return away ? magnitude <= scale * (0x1p-126 - 0x1p-150)
              : magnitude < scale * (0x1p-126 - 0x1p-151);
}
struct ExactNearTiny {  // sums near 2^-126 are exact
  static bool below(float, float, float, bool) { return false; }
};
struct ProductBelow {
  static bool below(float a, float b, float, bool away) {
    return tiny_after_rounding(static_cast<double>(a) * static_cast<double>(b), 1.0, away);
  }
};
struct FusedBelow {
  static bool below(float a, float b, float c, bool away) {
    return tiny_after_rounding(
        static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c), 1.0, away);
  }
};
struct QuotientBelow {
  static bool below(float a, float b, float, bool away) {
    return tiny_after_rounding(static_cast<double>(a), __builtin_fabs(static_cast<double>(b)),
                               away);
  }
};

}  // namespace kw::ptxvm::KW_ISA

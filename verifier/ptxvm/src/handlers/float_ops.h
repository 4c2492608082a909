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

}  // namespace kw::ptxvm::KW_ISA

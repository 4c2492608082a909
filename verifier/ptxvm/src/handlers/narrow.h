#pragma once
// Encoding and decoding of the 16-bit and 8-bit floating-point formats, one value at a time and
// without branches where a loop over lanes should vectorise.

#include "handlers/float_ops.h"

namespace kw::ptxvm::KW_ISA {

inline constexpr u16 kNan16 = 0x7fff;  // canonical NaN of f16 and of bf16

inline float half_to_float(u16 h) {
  const u32 magnitude = static_cast<u32>(h & 0x7fffu) << 13;
  const u32 exponent = magnitude & 0x0f800000u;
  const u32 normal = magnitude + (112u << 23);
  const u32 special = magnitude + (224u << 23);
  const float subnormal = bit_cast<float>(magnitude + (113u << 23)) - 0x1p-14f;
  const u32 bits = exponent == 0x0f800000u ? special
                   : exponent == 0         ? bit_cast<u32>(subnormal)
                                           : normal;
  return bit_cast<float>(bits | static_cast<u32>(h & 0x8000u) << 16);
}

/// Round to nearest even; overflow gives infinity.
inline u16 float_to_half(float x) {
  const u32 all = bit_cast<u32>(x);
  const u32 sign = all & 0x80000000u;
  const u32 f = all ^ sign;
  const u32 special = f > 0x7f800000u ? kNan16 : 0x7c00u;
  const u32 subnormal = bit_cast<u32>(bit_cast<float>(f) + 0.5f) - 0x3f000000u;
  const u32 normal = (f - (112u << 23) + 0xfffu + (f >> 13 & 1u)) >> 13;
  const u32 r = f >= 0x47800000u ? special : f < 0x38800000u ? subnormal : normal;
  return static_cast<u16>(f > 0x7f800000u ? r : (r | sign >> 16));
}
inline u16 float_to_half_rz(float x) {
  const u32 all = bit_cast<u32>(x);
  const u32 f = all & 0x7fffffffu;
  const u32 sign = all >> 16 & 0x8000u;
  if (f > 0x7f800000u) return kNan16;
  if (f == 0x7f800000u) return static_cast<u16>(sign | 0x7c00u);
  if (f >= 0x47800000u) return static_cast<u16>(sign | 0x7bffu);
  if (f >= 0x38800000u) return static_cast<u16>(sign | (f - (112u << 23)) >> 13);
  const u32 shift = 126 - (f >> 23);  // subnormal result: 2^-24 units
  const u32 significand = (f & 0x7fffffu) | 0x800000u;
  return static_cast<u16>(sign | (shift > 31 ? 0 : significand >> shift));
}

inline float bf16_to_float(u16 h) { return bit_cast<float>(static_cast<u32>(h) << 16); }
inline u16 float_to_bf16(float x) {
  const u32 f = bit_cast<u32>(x);
  const u32 rounded = (f + 0x7fffu + (f >> 16 & 1u)) >> 16;
  return static_cast<u16>(x == x ? rounded : kNan16);
}
inline u16 float_to_bf16_rz(float x) {
  return x == x ? static_cast<u16>(bit_cast<u32>(x) >> 16) : kNan16;
}

/// From the truncated encoding to the one rounded down or up; x may be rounded to odd.
template <u16 (*Truncate)(float), float (*Decode)(u16), bool Up>
inline u16 directed_16(float x) {
  const u16 r = Truncate(x);
  const bool inexact = x == x && Decode(r) != x;
  return static_cast<u16>(inexact && (Up ? x > 0 : x < 0) ? r + 1 : r);
}

inline u16 half_down(float x) { return directed_16<float_to_half_rz, half_to_float, false>(x); }
inline u16 half_up(float x) { return directed_16<float_to_half_rz, half_to_float, true>(x); }
inline u16 bf16_down(float x) { return directed_16<float_to_bf16_rz, bf16_to_float, false>(x); }
inline u16 bf16_up(float x) { return directed_16<float_to_bf16_rz, bf16_to_float, true>(x); }

/// To f32 with rounding to odd: rounding the result again to at most 22 bits gives the correctly
/// rounded value of x (Boldo and Melquiond, "When double rounding is odd").
inline float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = static_cast<double>(nearest);
  const u32 bits = bit_cast<u32>(nearest);
  const u32 truncated = __builtin_fabs(back) > __builtin_fabs(x) ? bits - 1 : bits;
  return bit_cast<float>(back == x || x != x ? bits : truncated | 1u);
}

/// TF32: 10 fraction bits, kept in the high bits of an f32. rna rounds ties away from zero.
inline constexpr u32 kNanTf32 = 0x7fffe000;
inline u32 float_to_tf32_rna(float x) {
  const u32 f = bit_cast<u32>(x);
  return ((f & 0x7fffffffu) > 0x7f800000u ? f : f + 0x1000u) & ~0x1fffu;
}
inline u32 float_to_tf32_rn(float x) {
  const u32 f = bit_cast<u32>(x);
  return x == x ? (f + 0xfffu + (f >> 13 & 1u)) & ~0x1fffu : kNanTf32;
}
inline u32 float_to_tf32_rz(float x) { return x == x ? bit_cast<u32>(x) & ~0x1fffu : kNanTf32; }

// FP8: E exponent bits with `bias`, M fraction bits. e4m3 has no infinity: S.1111.111 is NaN.
struct E4M3 {
  static constexpr int M = 3, bias = 7;
  static constexpr u32 largest = 0x7e, nan = 0x7f;
};
struct E5M2 {
  static constexpr int M = 2, bias = 15;
  static constexpr u32 largest = 0x7b, nan = 0x7f;
};

template <class F>
inline float fp8_to_float(u32 code) {
  const u32 magnitude = code & 0x7fu;
  const u32 exponent = magnitude >> F::M, fraction = magnitude & ((1u << F::M) - 1);
  float r;
  if (magnitude > F::largest) {
    const bool infinite = F::M == 2 && magnitude == 0x7cu;
    r = infinite ? __builtin_inff() : bit_cast<float>(kNan32);
  } else if (exponent == 0) {
    r = static_cast<float>(fraction) *
        bit_cast<float>(static_cast<u32>(127 + 1 - F::bias - F::M) << 23);
  } else {
    r = bit_cast<float>((exponent + 127 - static_cast<u32>(F::bias)) << 23 | fraction
                                                                                 << (23 - F::M));
  }
  return (code & 0x80u) != 0 ? -r : r;
}
/// Round to nearest even, .satfinite: anything above the largest finite value becomes that value.
template <class F>
inline u8 float_to_fp8(float x) {
  const u32 all = bit_cast<u32>(x), f = all & 0x7fffffffu;
  const u32 sign = all >> 24 & 0x80u;
  if (f > 0x7f800000u) return static_cast<u8>(F::nan);
  constexpr u32 kLeastNormal = static_cast<u32>(128 - F::bias) << 23;
  u32 r;
  if (f >= kLeastNormal) {
    constexpr int kShift = 23 - F::M;
    r = f >= 0x7f000000u ? F::largest + 1
                         : (f - (static_cast<u32>(127 - F::bias) << 23) + (1u << (kShift - 1)) - 1 +
                            (f >> kShift & 1u)) >>
                               kShift;
  } else {  // subnormal: the sum's unit in the last place is one subnormal step
    constexpr u32 kMagic = static_cast<u32>(127 + 1 - F::bias - F::M + 23) << 23;
    r = bit_cast<u32>(bit_cast<float>(f) + bit_cast<float>(kMagic)) - kMagic;
  }
  return static_cast<u8>(sign | (r > F::largest ? F::largest : r));
}

}  // namespace kw::ptxvm::KW_ISA

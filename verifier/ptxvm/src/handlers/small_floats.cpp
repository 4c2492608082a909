// Conversions of the six- and four-bit formats and of the exponent-only format ue8m0 (OCP
// Microscaling Formats 1.0). None of them has an infinity; only ue8m0 has a NaN.

#include "handlers/narrow.h"

namespace kw::ptxvm::baseline {
namespace {

template <unsigned E, unsigned M>
struct Small {
  static constexpr int bias = (1 << (E - 1)) - 1;
  static constexpr u32 largest = (1u << (E + M)) - 1;
  static constexpr u32 sign = 1u << (E + M);

  static float decode(u32 code) {
    const u32 magnitude = code & largest, exponent = magnitude >> M,
              fraction = magnitude & ((1u << M) - 1);
    const float value =
        exponent == 0
            ? __builtin_ldexpf(static_cast<float>(fraction), 1 - bias - static_cast<int>(M))
            : __builtin_ldexpf(static_cast<float>(fraction + (1u << M)),
                               static_cast<int>(exponent) - bias - static_cast<int>(M));
    return (code & sign) != 0 ? -value : value;
  }
  // Rounds to nearest even; what is larger than the largest number becomes it, NaN becomes
  // +largest.
  static u32 encode(float x) {
    if (x != x) return largest;
    const u32 s = bit_cast<u32>(x) >> 31 != 0 ? sign : 0;
    const float a = __builtin_fabsf(x);
    if (a >= decode(largest)) return s | largest;
    int exponent = static_cast<int>(bit_cast<u32>(a) >> 23) - 127;
    if (exponent < 1 - bias) exponent = 1 - bias;  // the least exponent, of subnormal numbers too
    const float steps = __builtin_rintf(__builtin_ldexpf(a, static_cast<int>(M) - exponent));
    const u32 code = (static_cast<u32>(exponent + bias - 1) << M) + static_cast<u32>(steps);
    return s | (code > largest ? largest : code);
  }
};
using E2M1 = Small<2, 1>;
using E2M3 = Small<2, 3>;
using E3M2 = Small<3, 2>;

// Where the second element begins: 4-bit numbers share a byte.
template <class F>
constexpr unsigned kHigh = F::largest == 7 ? 4 : 8;

inline float relu_of(float x) { return x < 0 ? 0.0f : x; }
template <class F, bool Relu>
struct FromPair {  // a is the high element
  static u16 f(float a, float b) {
    return static_cast<u16>(F::encode(Relu ? relu_of(a) : a) << kHigh<F> |
                            F::encode(Relu ? relu_of(b) : b));
  }
};
template <class F, bool Relu>
struct ToPair {
  static u32 f(u16 a) {
    const auto one = [](u32 code) -> u32 {
      const u16 h = float_to_half(F::decode(code));
      return Relu && (h & 0x8000u) != 0 ? 0 : h;
    };
    return one(static_cast<u32>(a) >> kHigh<F>) << 16 | one(a);
  }
};

// ue8m0: 2^(code - 127), 255 is NaN. Rounds towards zero or up; the sign is dropped. Without
// .satfinite what is too large becomes NaN.
template <bool Up, bool Finite>
struct Exponent {
  static u32 f(float x) {
    const u32 bits = bit_cast<u32>(x) & 0x7fffffffu;
    if (bits > 0x7f800000u) return 255;
    if (bits == 0x7f800000u) return Finite ? 254 : 255;
    u32 e = bits >> 23;
    const u32 fraction = bits & 0x7fffffu;
    // 2^-127 has the code 0 and is the subnormal 0x400000.
    if (Up) e += e == 0 ? (fraction > 0x400000u ? 1u : 0u) : (fraction != 0 ? 1u : 0u);
    return e < 255 ? e : Finite ? 254u : 255u;
  }
};
template <bool Up, bool Finite>
struct ExponentPair {
  static u16 f(float a, float b) {
    return static_cast<u16>(Exponent<Up, Finite>::f(a) << 8 | Exponent<Up, Finite>::f(b));
  }
};
template <bool Up, bool Finite>
struct ExponentsOfBf16 {
  static u16 f(u32 a) {
    return ExponentPair<Up, Finite>::f(bf16_to_float(static_cast<u16>(a >> 16)),
                                       bf16_to_float(static_cast<u16>(a)));
  }
};
struct Bf16OfExponents {
  static u32 f(u16 a) {
    const auto one = [](u32 code) -> u32 {
      return code == 255 ? 0x7fffu : code == 0 ? 0x40u : code << 7;
    };
    return one(a >> 8) << 16 | one(a & 0xffu);
  }
};

template <class F>
void add_small(Registry& r, const char* type) {
  add_binary<u16, float, float, FromPair<F, false>>(r, "cvt.rn.satfinite", type, "f32");
  add_binary<u16, float, float, FromPair<F, true>>(r, "cvt.rn.satfinite.relu", type, "f32");
  add_unary<u32, u16, ToPair<F, false>>(r, "cvt.rn", "f16x2", type);
  add_unary<u32, u16, ToPair<F, true>>(r, "cvt.rn.relu", "f16x2", type);
}
template <bool Up, bool Finite>
void add_exponent(Registry& r, const char* base) {
  add_binary<u16, float, float, ExponentPair<Up, Finite>>(r, base, "ue8m0x2", "f32");
  add_unary<u16, u32, ExponentsOfBf16<Up, Finite>>(r, base, "ue8m0x2", "bf16x2");
}

}  // namespace

void register_small_floats(Registry& r) {
  add_small<E2M1>(r, "e2m1x2");
  add_small<E2M3>(r, "e2m3x2");
  add_small<E3M2>(r, "e3m2x2");
  add_exponent<false, false>(r, "cvt.rz");
  add_exponent<true, false>(r, "cvt.rp");
  add_exponent<false, true>(r, "cvt.rz.satfinite");
  add_exponent<true, true>(r, "cvt.rp.satfinite");
  add_unary<u32, u16, Bf16OfExponents>(r, "cvt.rn", "bf16x2", "ue8m0x2");
}

}  // namespace kw::ptxvm::baseline

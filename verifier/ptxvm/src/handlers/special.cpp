// The .approx functions. Each stays inside the error that the PTX ISA states for it; none claims
// the hardware's bits.

#include "handlers/narrow.h"

namespace kw::ptxvm::KW_ISA {
namespace {

// 2^x: below 1 ulp. Range reduction to |r| <= 1/2, Taylor series of exp(r ln 2) to degree 7
// (remainder below 6e-9), scaled by 2^k in two steps so that subnormal results round once.
inline float exp2_approx(float x) {
  const float c = x < -151.0f ? -151.0f : x > 129.0f ? 129.0f : x;
  const float clean = c == c ? c : 0.0f;
  const float k = __builtin_rintf(clean);
  const float r = clean - k;
  float p = 1.52527338e-5f;
  p = p * r + 1.54035304e-4f;
  p = p * r + 1.33335581e-3f;
  p = p * r + 9.61812911e-3f;
  p = p * r + 5.55041087e-2f;
  p = p * r + 2.40226507e-1f;
  // The two leading terms carry the rounding error: add them last and in order.
  const float tail = (p * r + 6.93147182e-1f) * r;
  const float y = 1.0f + tail;
  const s32 n = static_cast<s32>(k), half = n >> 1;
  const float s1 = bit_cast<float>(static_cast<u32>(half + 127) << 23);
  const float s2 = bit_cast<float>(static_cast<u32>(n - half + 127) << 23);
  return x == x ? y * s1 * s2 : bit_cast<float>(kNan32);
}

// log2(x): m in [sqrt(1/2), sqrt(2)), log2(m) = 2/ln2 * atanh((m-1)/(m+1)) to the 9th power
// (remainder below 1e-9 relative).
inline float log2_approx(float x) {
  const bool tiny = x < 0x1p-126f;
  const float scaled = tiny ? x * 0x1p24f : x;
  const u32 bits = bit_cast<u32>(scaled);
  const s32 e = static_cast<s32>(bits - 0x3f3504f3u) >> 23;
  const float m = bit_cast<float>(bits - (static_cast<u32>(e) << 23));
  const float s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
  float p = 0.320598980f;     // 2/ln2 / 9
  p = p * s2 + 0.412198591f;  // / 7
  p = p * s2 + 0.577078016f;  // / 5
  p = p * s2 + 0.961796694f;  // / 3
  p = p * s2 + 2.88539008f;
  const float r = p * s + static_cast<float>(e - (tiny ? 24 : 0));
  const float special = x == 0.0f               ? -__builtin_inff()
                        : x == __builtin_inff() ? x
                                                : bit_cast<float>(kNan32);
  return x > 0.0f && x < __builtin_inff() ? r : special;
}

// sin and cos as the hardware forms them: x / 2 pi in f32, its distance to the nearest integer,
// then the function of that part of a turn (Taylor series in f64). Large arguments have no fraction
// left.
template <bool Cosine>
inline float sin_cos(float x) {
  const float clean = __builtin_fabsf(x) < __builtin_inff() ? x : 0.0f;
  const float turns = clean * 0.15915494f;
  const double part = static_cast<double>(turns - __builtin_rintf(turns)) * 4.0;  // quarter turns
  const double k = __builtin_rint(part);
  const double r = (part - k) * 1.5707963267948966, r2 = r * r;
  const double sine =
      r * (1.0 + r2 * (-1.0 / 6 + r2 * (1.0 / 120 + r2 * (-1.0 / 5040 + r2 * (1.0 / 362880)))));
  const double cosine =
      1.0 + r2 * (-0.5 + r2 * (1.0 / 24 + r2 * (-1.0 / 720 + r2 * (1.0 / 40320))));
  const double quadrant = k + (Cosine ? 1.0 : 0.0);  // -2 .. 3
  const bool odd = quadrant == -1.0 || quadrant == 1.0 || quadrant == 3.0;
  const bool negative = quadrant == -2.0 || quadrant == -1.0 || quadrant == 2.0 || quadrant == 3.0;
  const double value = odd ? cosine : sine;
  const float result = static_cast<float>(negative ? -value : value);
  return __builtin_fabsf(x) < __builtin_inff() ? result : bit_cast<float>(kNan32);
}

// tanh(x) = 1 - 2 / (2^(2 x log2 e) + 1); near zero its series, where that difference would cancel.
inline float tanh_approx(float x) {
  const float a = __builtin_fabsf(x), a2 = a * a;
  const float near = a * (1.0f + a2 * (-0.333333333f + a2 * (0.133333333f + a2 * -0.0539682540f)));
  const float far = 1.0f - 2.0f / (exp2_approx(a * 2.88539008f) + 1.0f);
  const float r = a < 0.3f ? near : far;
  return x == x
             ? bit_cast<float>((bit_cast<u32>(r) & 0x7fffffffu) | (bit_cast<u32>(x) & 0x80000000u))
             : bit_cast<float>(kNan32);
}

template <bool Z>
struct Ex2 {
  static float f(float a) { return out32<Z, false>(exp2_approx(in32<Z>(a))); }
};
template <bool Z>
struct Lg2 {
  static float f(float a) { return out32<Z, false>(log2_approx(in32<Z>(a))); }
};
template <bool Z>
struct Sin {
  static float f(float a) {
    return out32<Z, false>(in32<Z>(a) == 0.0f ? in32<Z>(a) : sin_cos<false>(in32<Z>(a)));
  }
};
template <bool Z>
struct Cos {
  static float f(float a) { return out32<Z, false>(sin_cos<true>(in32<Z>(a))); }
};
template <bool Z>
struct Rsqrt {
  static float f(float a) { return out32<Z, false>(1.0f / __builtin_sqrtf(in32<Z>(a))); }
};
struct Tanh {
  static float f(float a) { return tanh_approx(a); }
};

struct Ex2Half {
  static u16 f(u16 a) { return float_to_half(exp2_approx(half_to_float(a))); }
};
struct Ex2Half2 {
  static u32 f(u32 a) {
    return Ex2Half::f(static_cast<u16>(a)) | static_cast<u32>(Ex2Half::f(static_cast<u16>(a >> 16)))
                                                 << 16;
  }
};
struct Ex2Bf16 {
  static u16 f(u16 a) { return float_to_bf16(exp2_approx(flush(bf16_to_float(a)))); }
};
struct Ex2Bf162 {
  static u32 f(u32 a) {
    return Ex2Bf16::f(static_cast<u16>(a)) | static_cast<u32>(Ex2Bf16::f(static_cast<u16>(a >> 16)))
                                                 << 16;
  }
};
struct TanhHalf {
  static u16 f(u16 a) { return float_to_half(tanh_approx(half_to_float(a))); }
};
struct TanhHalf2 {
  static u32 f(u32 a) {
    return TanhHalf::f(static_cast<u16>(a)) |
           static_cast<u32>(TanhHalf::f(static_cast<u16>(a >> 16))) << 16;
  }
};
struct TanhBf16 {
  static u16 f(u16 a) { return float_to_bf16(tanh_approx(bf16_to_float(a))); }
};
struct TanhBf162 {
  static u32 f(u32 a) {
    return TanhBf16::f(static_cast<u16>(a)) |
           static_cast<u32>(TanhBf16::f(static_cast<u16>(a >> 16))) << 16;
  }
};

template <bool Z>
void add(Registry& r, const char* approx) {
  add_unary<float, float, Ex2<Z>>(r, "ex2", approx, "f32");
  add_unary<float, float, Lg2<Z>>(r, "lg2", approx, "f32");
  add_unary<float, float, Sin<Z>>(r, "sin", approx, "f32");
  add_unary<float, float, Cos<Z>>(r, "cos", approx, "f32");
  add_unary<float, float, Rsqrt<Z>>(r, "rsqrt", approx, "f32");
}

}  // namespace

void register_special(Registry& r) {
  add<false>(r, "approx");
  add<true>(r, "approx.ftz");
  add_unary<float, float, Tanh>(r, "tanh", "approx", "f32");
  add_unary<u16, u16, Ex2Half>(r, "ex2", "approx", "f16");
  add_unary<u32, u32, Ex2Half2>(r, "ex2", "approx", "f16x2");
  add_unary<u16, u16, Ex2Bf16>(r, "ex2", "approx.ftz", "bf16");
  add_unary<u32, u32, Ex2Bf162>(r, "ex2", "approx.ftz", "bf16x2");
  add_unary<u16, u16, TanhHalf>(r, "tanh", "approx", "f16");
  add_unary<u32, u32, TanhHalf2>(r, "tanh", "approx", "f16x2");
  add_unary<u16, u16, TanhBf16>(r, "tanh", "approx", "bf16");
  add_unary<u32, u32, TanhBf162>(r, "tanh", "approx", "bf16x2");
}

}  // namespace kw::ptxvm::KW_ISA

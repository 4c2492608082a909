// f16 and bf16 arithmetic, scalar and packed, and conversions. A packed register is taken as 64
// elements of 16 bits. Every result is the correctly rounded one: computed in f32 with rounding to
// odd, which one more rounding to 11 or 8 bits makes right; bf16 products that leave f32's range go
// through f64.

#include "handlers/narrow.h"

namespace kw::ptxvm::KW_ISA {
namespace {

struct F16 {
  static constexpr const char* name = "f16";
  static constexpr const char* pair = "f16x2";
  static constexpr u16 one = 0x3c00;
  static constexpr bool may_leave_f32 = false;  // every product of two is exact in f32
  static float load(u16 h) { return half_to_float(h); }
  static u16 store(float x) { return float_to_half(x); }
  static u16 flush16(u16 h) { return (h & 0x7c00u) == 0 ? h & 0x8000u : h; }
};
struct BF16 {
  static constexpr const char* name = "bf16";
  static constexpr const char* pair = "bf16x2";
  static constexpr u16 one = 0x3f80;
  static constexpr bool may_leave_f32 = true;
  static float load(u16 h) { return bf16_to_float(h); }
  static u16 store(float x) { return float_to_bf16(x); }
  static u16 flush16(u16 h) { return (h & 0x7f80u) == 0 ? h & 0x8000u : h; }
};

enum class Clamp { None, Sat, Relu };
template <class T, bool Ftz, Clamp clamp>
u16 finish(u16 h) {
  u16 r = Ftz ? T::flush16(h) : h;
  const bool nan = r == kNan16;
  if (clamp == Clamp::Sat) r = nan || (r & 0x8000u) != 0 ? u16{0} : r > T::one ? T::one : r;
  if (clamp == Clamp::Relu) r = !nan && (r & 0x8000u) != 0 ? u16{0} : r;
  return r;
}

// p + c rounded to odd; the error term is Knuth's two-sum, exact where the sum does not overflow.
template <class F>
F sum_to_odd(F p, F c) {
  using U = typename Bits<F>::type;
  const F s = p + c;
  const F t = s - p;
  const F error = (p - (s - t)) + (c - t);
  const U bits = bit_cast<U>(s);
  const bool toward_zero = (error < 0) == (s > 0);  // the exact sum is nearer to zero than s
  const U truncated = toward_zero ? bits - 1 : bits;
  const bool usable = s - s == 0 && error != 0 && error - error == 0;
  return bit_cast<F>(usable ? static_cast<U>(truncated | 1u) : bits);
}

// Operations on one element decoded to f32: `near` is exact or rounded to odd where the operands
// allow it, `safe` tells whether they do, `any` always is.
struct Add {
  static float near(float a, float b, float) { return sum_to_odd(a, b); }
  static bool safe(float, float, float) { return true; }
  static double any(double a, double b, double) { return sum_to_odd(a, b); }
};
struct Sub {
  static float near(float a, float b, float) { return sum_to_odd(a, -b); }
  static bool safe(float, float, float) { return true; }
  static double any(double a, double b, double) { return sum_to_odd(a, -b); }
};
inline bool exact_product(float a, float b) {
  const float p = __builtin_fabsf(a * b);
  return a == 0 || b == 0 || (p > 0x1p-100f && p < 0x1p120f);
}
struct Mul {
  static float near(float a, float b, float) { return a * b; }
  static bool safe(float a, float b, float) { return exact_product(a, b); }
  static double any(double a, double b, double) { return a * b; }
};
struct Fma {
  static float near(float a, float b, float c) { return sum_to_odd(a * b, c); }
  static bool safe(float a, float b, float c) {
    return exact_product(a, b) && __builtin_fabsf(c) < 0x1p120f;
  }
  static double any(double a, double b, double c) { return sum_to_odd(a * b, c); }
};

// N elements: 32, or 64 of packed registers, whose lane masks are doubled by working on a copy.
template <class T, bool Ftz, Clamp clamp, unsigned Sources, unsigned N, class Op>
const Ins* arithmetic(Warp& w, const Ins* ins) {
  const u32 operands[3] = {ins->a, ins->b, ins->c};
  alignas(64) float x[3][N];
  alignas(64) u16 out[N];
  for (unsigned s = 0; s < Sources; ++s) {
    const u16* from = reg<const u16>(w, operands[s]);
    for (unsigned i = 0; i < N; ++i) x[s][i] = T::load(Ftz ? T::flush16(from[i]) : from[i]);
  }
  u32 unsafe = 0;
  for (unsigned i = 0; i < N; ++i) {
    if constexpr (T::may_leave_f32)
      unsafe |= Op::safe(x[0][i], x[1][i], Sources == 3 ? x[2][i] : 0.0f) ? 0u : 1u;
    out[i] =
        finish<T, Ftz, clamp>(T::store(Op::near(x[0][i], x[1][i], Sources == 3 ? x[2][i] : 0.0f)));
  }
  if (T::may_leave_f32 && KW_UNLIKELY(unsafe != 0)) {
    for (unsigned i = 0; i < N; ++i) {
      const double r = Op::any(x[0][i], x[1][i], Sources == 3 ? static_cast<double>(x[2][i]) : 0.0);
      out[i] = finish<T, Ftz, clamp>(T::store(round_to_odd(r)));
    }
  }
  if constexpr (N == kLanes) {
    for_lanes(w, reg<u16>(w, ins->d), [&](unsigned l) { return out[l]; });
  } else {
    u32 pairs[kLanes];
    std::memcpy(pairs, out, sizeof pairs);
    for_lanes(w, reg<u32>(w, ins->d), [&](unsigned l) { return pairs[l]; });
  }
  KW_NEXT;
}

template <class T>
u16 quiet(int h) {
  const u16 r = static_cast<u16>(h);
  return T::load(r) == T::load(r) ? r : kNan16;
}
template <class T, bool Z>
struct Neg {
  static u16 f(u16 a) { return quiet<T>((Z ? T::flush16(a) : a) ^ 0x8000u); }
};
template <class T, bool Z>
struct Abs {
  static u16 f(u16 a) { return quiet<T>((Z ? T::flush16(a) : a) & 0x7fffu); }
};
template <class T, bool Z, bool Nan, bool Xor, bool Greatest>
struct MinMax {
  static u16 f(u16 x, u16 y) {
    const u16 a = Z ? T::flush16(x) : x, b = Z ? T::flush16(y) : y;
    float fa = T::load(a), fb = T::load(b);
    const bool nan = Nan ? fa != fa || fb != fb : fa != fa && fb != fb;
    if (Xor) {
      fa = __builtin_fabsf(fa);
      fb = __builtin_fabsf(fb);
    }
    u16 r = T::store(Greatest ? float_max(fa, fb) : float_min(fa, fb));
    if (Xor) r = static_cast<u16>(r | ((a ^ b) & 0x8000u));
    return nan ? kNan16 : r;
  }
};

// Both halves of a packed register.
template <class Op>
struct Packed {
  static u32 f(u32 a) {
    return Op::f(static_cast<u16>(a)) | static_cast<u32>(Op::f(static_cast<u16>(a >> 16))) << 16;
  }
  static u32 f(u32 a, u32 b) {
    return Op::f(static_cast<u16>(a), static_cast<u16>(b)) |
           static_cast<u32>(Op::f(static_cast<u16>(a >> 16), static_cast<u16>(b >> 16))) << 16;
  }
};
template <class T, class Op>
void one(Registry& r, const char* base, const char* mid) {
  add_unary<u16, u16, Op>(r, base, mid, T::name);
  add_unary<u32, u32, Packed<Op>>(r, base, mid, T::pair);
}
template <class T, class Op>
void two(Registry& r, const char* base, const char* mid) {
  add_binary<u16, u16, u16, Op>(r, base, mid, T::name);
  add_binary<u32, u32, u32, Packed<Op>>(r, base, mid, T::pair);
}
template <class T, bool Z, Clamp C, unsigned Sources, class Op>
void add_op(Registry& r, const char* base, const char* mid) {
  constexpr std::uint8_t c = Sources == 3 ? 1 : 0;
  r.add(base, mid, T::name, arithmetic<T, Z, C, Sources, kLanes, Op>, {2, 2, 2, 2 * c});
  r.add(base, mid, T::pair, arithmetic<T, Z, C, Sources, 2 * kLanes, Op>, {4, 4, 4, 4 * c});
}
template <class T, bool Z, Clamp C>
void add_arithmetic(Registry& r, const char* mid) {
  add_op<T, Z, C, 2, Add>(r, "add", mid);
  add_op<T, Z, C, 2, Sub>(r, "sub", mid);
  add_op<T, Z, C, 2, Mul>(r, "mul", mid);
  add_op<T, Z, C, 3, Fma>(r, "fma", mid);
}
template <class T, bool Z>
void add_other(Registry& r, const char* mid, const char* nan, const char* xorsign,
               const char* both) {
  one<T, Neg<T, Z>>(r, "neg", mid);
  one<T, Abs<T, Z>>(r, "abs", mid);
  two<T, MinMax<T, Z, false, false, false>>(r, "min", mid);
  two<T, MinMax<T, Z, false, false, true>>(r, "max", mid);
  two<T, MinMax<T, Z, true, false, false>>(r, "min", nan);
  two<T, MinMax<T, Z, true, false, true>>(r, "max", nan);
  two<T, MinMax<T, Z, false, true, false>>(r, "min", xorsign);
  two<T, MinMax<T, Z, false, true, true>>(r, "max", xorsign);
  two<T, MinMax<T, Z, true, true, false>>(r, "min", both);
  two<T, MinMax<T, Z, true, true, true>>(r, "max", both);
}

struct FromHalf {
  static float f(u16 a) { return canonical(half_to_float(a)); }
};
struct FromBf16 {
  static float f(u16 a) { return bf16_to_float(a); }
};
struct HalfToDouble {
  static double f(u16 a) { return static_cast<double>(half_to_float(a)); }
};
struct Bf16ToDouble {
  static double f(u16 a) { return static_cast<double>(bf16_to_float(a)); }
};
// A NaN keeps its sign and the top of its payload.
template <unsigned Fraction>
u16 narrow_nan(double a) {
  const u64 bits = bit_cast<u64>(a);
  const u64 exponent = ((u64{1} << (15 - Fraction)) - 1) << Fraction;
  return static_cast<u16>((bits >> 48 & 0x8000u) | exponent | u64{1} << (Fraction - 1) |
                          (bits >> (52 - Fraction) & ((u64{1} << Fraction) - 1)));
}
template <u16 (*Encode)(float), unsigned Fraction>
struct FromDouble {
  static u16 f(double a) { return a == a ? Encode(round_to_odd(a)) : narrow_nan<Fraction>(a); }
};

inline u16 relu16(u16 h) { return h != kNan16 && (h & 0x8000u) != 0 ? u16{0} : h; }
template <u16 (*Encode)(float), bool Relu>
struct To16 {
  static u16 f(float a) { return Relu ? relu16(Encode(a)) : Encode(a); }
};
template <bool Ftz>
struct ToHalfSat {
  static u16 f(float a) { return float_to_half(saturate(in32<Ftz>(a))); }
};
template <u16 (*Encode)(float), bool Relu>
struct ToPair {  // a is the high half
  static u32 f(float a, float b) {
    return static_cast<u32>(To16<Encode, Relu>::f(a)) << 16 | To16<Encode, Relu>::f(b);
  }
};
template <u32 (*Round)(float)>
struct ToTf32 {
  static u32 f(float a) { return Round(a); }
};
template <class F, bool Relu>
struct ToFp8Pair {
  static u16 f(float a, float b) { return static_cast<u16>(code(a) << 8 | code(b)); }
  static u32 code(float x) { return float_to_fp8<F>(Relu && x <= 0 ? 0.0f : x); }
};
template <class F, bool Relu>
struct HalfPairToFp8 {
  static u16 f(u32 a) {
    return ToFp8Pair<F, Relu>::f(half_to_float(static_cast<u16>(a >> 16)),
                                 half_to_float(static_cast<u16>(a)));
  }
};
template <class F, bool Relu>
struct FromFp8Pair {
  static u32 f(u16 a) { return static_cast<u32>(half(a >> 8 & 0xffu)) << 16 | half(a & 0xffu); }
  static u16 half(u32 code) {
    const u16 h = float_to_half(fp8_to_float<F>(code));
    return Relu ? relu16(h) : h;
  }
};

template <class T, int mode>
struct RoundIntegral {
  static u16 f(u16 a) {
    const float x = T::load(a);
    return T::store(mode == 0   ? __builtin_rintf(x)
                    : mode == 1 ? __builtin_truncf(x)
                    : mode == 2 ? __builtin_floorf(x)
                                : __builtin_ceilf(x));
  }
};

template <class F>
void add_fp8(Registry& r, const char* pair, const char* from) {
  add_binary<u16, float, float, ToFp8Pair<F, false>>(r, "cvt.rn.satfinite", pair, "f32");
  add_binary<u16, float, float, ToFp8Pair<F, true>>(r, "cvt.rn.satfinite.relu", pair, "f32");
  add_unary<u16, u32, HalfPairToFp8<F, false>>(r, "cvt.rn.satfinite", pair, "f16x2");
  add_unary<u16, u32, HalfPairToFp8<F, true>>(r, "cvt.rn.satfinite.relu", pair, "f16x2");
  add_unary<u32, u16, FromFp8Pair<F, false>>(r, "cvt.rn", "f16x2", from);
  add_unary<u32, u16, FromFp8Pair<F, true>>(r, "cvt.rn.relu", "f16x2", from);
}

template <u16 (*Encode)(float)>
void add_encode(Registry& r, const char* base, const char* relu, const char* name,
                const char* pair) {
  add_unary<u16, float, To16<Encode, false>>(r, base, name, "f32");
  add_unary<u16, float, To16<Encode, true>>(r, relu, name, "f32");
  add_binary<u32, float, float, ToPair<Encode, false>>(r, base, pair, "f32");
  add_binary<u32, float, float, ToPair<Encode, true>>(r, relu, pair, "f32");
}

void add_conversions(Registry& r) {
  add_unary<float, u16, FromHalf>(r, "cvt", "f32", "f16");
  add_unary<float, u16, FromHalf>(r, "cvt.ftz", "f32", "f16");
  add_unary<float, u16, FromBf16>(r, "cvt", "f32", "bf16");
  add_unary<double, u16, HalfToDouble>(r, "cvt", "f64", "f16");
  add_unary<double, u16, Bf16ToDouble>(r, "cvt", "f64", "bf16");
  add_unary<u16, double, FromDouble<float_to_half, 10>>(r, "cvt.rn", "f16", "f64");
  add_unary<u16, double, FromDouble<float_to_bf16, 7>>(r, "cvt.rn", "bf16", "f64");
  add_encode<float_to_half>(r, "cvt.rn", "cvt.rn.relu", "f16", "f16x2");
  add_encode<float_to_half_rz>(r, "cvt.rz", "cvt.rz.relu", "f16", "f16x2");
  add_encode<float_to_bf16>(r, "cvt.rn", "cvt.rn.relu", "bf16", "bf16x2");
  add_encode<float_to_bf16_rz>(r, "cvt.rz", "cvt.rz.relu", "bf16", "bf16x2");
  add_unary<u16, float, To16<half_down, false>>(r, "cvt.rm", "f16", "f32");
  add_unary<u16, float, To16<half_up, false>>(r, "cvt.rp", "f16", "f32");
  add_unary<u16, float, To16<bf16_down, false>>(r, "cvt.rm", "bf16", "f32");
  add_unary<u16, float, To16<bf16_up, false>>(r, "cvt.rp", "bf16", "f32");
  add_unary<u16, double, FromDouble<float_to_half_rz, 10>>(r, "cvt.rz", "f16", "f64");
  add_unary<u16, double, FromDouble<half_down, 10>>(r, "cvt.rm", "f16", "f64");
  add_unary<u16, double, FromDouble<half_up, 10>>(r, "cvt.rp", "f16", "f64");
  add_unary<u16, double, FromDouble<float_to_bf16_rz, 7>>(r, "cvt.rz", "bf16", "f64");
  add_unary<u16, double, FromDouble<bf16_down, 7>>(r, "cvt.rm", "bf16", "f64");
  add_unary<u16, double, FromDouble<bf16_up, 7>>(r, "cvt.rp", "bf16", "f64");
  add_unary<u16, float, To16<float_to_half, false>>(r, "cvt.rn.ftz", "f16", "f32");
  add_unary<u16, float, ToHalfSat<false>>(r, "cvt.rn.sat", "f16", "f32");
  add_unary<u16, float, ToHalfSat<true>>(r, "cvt.rn.ftz.sat", "f16", "f32");
  add_unary<u32, float, ToTf32<float_to_tf32_rna>>(r, "cvt.rna", "tf32", "f32");
  add_unary<u32, float, ToTf32<float_to_tf32_rn>>(r, "cvt.rn", "tf32", "f32");
  add_unary<u32, float, ToTf32<float_to_tf32_rz>>(r, "cvt.rz", "tf32", "f32");
  add_fp8<E4M3>(r, "e4m3x2", "e4m3x2");
  add_fp8<E5M2>(r, "e5m2x2", "e5m2x2");
  add_unary<u16, u16, RoundIntegral<F16, 0>>(r, "cvt.rni", "f16", "f16");
  add_unary<u16, u16, RoundIntegral<F16, 1>>(r, "cvt.rzi", "f16", "f16");
  add_unary<u16, u16, RoundIntegral<F16, 2>>(r, "cvt.rmi", "f16", "f16");
  add_unary<u16, u16, RoundIntegral<F16, 3>>(r, "cvt.rpi", "f16", "f16");
  add_unary<u16, u16, RoundIntegral<BF16, 0>>(r, "cvt.rni", "bf16", "bf16");
  add_unary<u16, u16, RoundIntegral<BF16, 1>>(r, "cvt.rzi", "bf16", "bf16");
  add_unary<u16, u16, RoundIntegral<BF16, 2>>(r, "cvt.rmi", "bf16", "bf16");
  add_unary<u16, u16, RoundIntegral<BF16, 3>>(r, "cvt.rpi", "bf16", "bf16");
}

}  // namespace

void register_half(Registry& r) {
  add_arithmetic<F16, false, Clamp::None>(r, "");
  add_arithmetic<F16, true, Clamp::None>(r, "ftz");
  add_arithmetic<F16, false, Clamp::Sat>(r, "sat");
  add_arithmetic<F16, true, Clamp::Sat>(r, "ftz.sat");
  add_arithmetic<BF16, false, Clamp::None>(r, "");
  add_op<F16, false, Clamp::Relu, 3, Fma>(r, "fma", "relu");
  add_op<F16, true, Clamp::Relu, 3, Fma>(r, "fma", "ftz.relu");
  add_op<BF16, false, Clamp::Relu, 3, Fma>(r, "fma", "relu");
  add_other<F16, false>(r, "", "NaN", "xorsign.abs", "NaN.xorsign.abs");
  add_other<F16, true>(r, "ftz", "ftz.NaN", "ftz.xorsign.abs", "ftz.NaN.xorsign.abs");
  add_other<BF16, false>(r, "", "NaN", "xorsign.abs", "NaN.xorsign.abs");
  add_conversions(r);
}

}  // namespace kw::ptxvm::KW_ISA

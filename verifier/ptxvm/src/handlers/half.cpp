// f16 and bf16 arithmetic, scalar and packed, and conversions from and to f32. Each result is the
// correctly rounded one: f32 holds sums and products of f16 exactly enough (24 >= 2*11+2); fma and
// bf16 go through f64 and rounding to odd.

#include "handlers/narrow.h"

namespace kw::ptxvm::KW_ISA {
namespace {

struct F16 {
  static constexpr const char* name = "f16";
  static constexpr const char* pair = "f16x2";
  static constexpr u16 one = 0x3c00;
  static float load(u16 h) { return half_to_float(h); }
  static u16 store(float x) { return float_to_half(x); }
  static u16 flush16(u16 h) { return (h & 0x7c00u) == 0 ? h & 0x8000u : h; }
};
struct BF16 {
  static constexpr const char* name = "bf16";
  static constexpr const char* pair = "bf16x2";
  static constexpr u16 one = 0x3f80;
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
template <class T, bool Ftz>
double wide(u16 h) {
  return static_cast<double>(T::load(Ftz ? T::flush16(h) : h));
}

// One value of type T: a double that is exact or rounded once, then to odd, then to T. A sum of two
// bf16 may be inexact in f64 when the exponents are far apart; then it is no tie of bf16 either.
template <class T, bool Z, Clamp C>
struct Add {
  static u16 f(u16 a, u16 b) {
    return finish<T, Z, C>(T::store(round_to_odd(wide<T, Z>(a) + wide<T, Z>(b))));
  }
};
template <class T, bool Z, Clamp C>
struct Sub {
  static u16 f(u16 a, u16 b) {
    return finish<T, Z, C>(T::store(round_to_odd(wide<T, Z>(a) - wide<T, Z>(b))));
  }
};
template <class T, bool Z, Clamp C>
struct Mul {
  static u16 f(u16 a, u16 b) {
    return finish<T, Z, C>(T::store(round_to_odd(wide<T, Z>(a) * wide<T, Z>(b))));
  }
};
// a*b is exact in f64; the error of the sum with c (two-sum) decides the odd rounding of the
// double.
inline double sum_to_odd(double p, double c) {
  const double s = p + c;
  const double t = s - p;
  const double error = (p - (s - t)) + (c - t);
  const u64 bits = bit_cast<u64>(s);
  const bool toward = (error < 0) == (s > 0);  // the exact sum is nearer to zero than s
  const u64 truncated = toward ? bits - 1 : bits;
  const bool finite = s - s == 0;
  return bit_cast<double>(finite && error != 0 ? truncated | 1u : bits);
}
template <class T, bool Z, Clamp C>
struct Fma {
  static u16 f(u16 a, u16 b, u16 c) {
    return finish<T, Z, C>(
        T::store(round_to_odd(sum_to_odd(wide<T, Z>(a) * wide<T, Z>(b), wide<T, Z>(c)))));
  }
};
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
  static u32 f(u32 a, u32 b, u32 c) {
    return Op::f(static_cast<u16>(a), static_cast<u16>(b), static_cast<u16>(c)) |
           static_cast<u32>(Op::f(static_cast<u16>(a >> 16), static_cast<u16>(b >> 16),
                                  static_cast<u16>(c >> 16)))
               << 16;
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
template <class T, class Op>
void three(Registry& r, const char* base, const char* mid) {
  add_ternary<u16, u16, u16, u16, Op>(r, base, mid, T::name);
  add_ternary<u32, u32, u32, u32, Packed<Op>>(r, base, mid, T::pair);
}
template <class T, bool Z, Clamp C>
void add_arithmetic(Registry& r, const char* mid) {
  two<T, Add<T, Z, C>>(r, "add", mid);
  two<T, Sub<T, Z, C>>(r, "sub", mid);
  two<T, Mul<T, Z, C>>(r, "mul", mid);
  three<T, Fma<T, Z, C>>(r, "fma", mid);
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
  three<F16, Fma<F16, false, Clamp::Relu>>(r, "fma", "relu");
  three<BF16, Fma<BF16, false, Clamp::Relu>>(r, "fma", "relu");
  add_other<F16, false>(r, "", "NaN", "xorsign.abs", "NaN.xorsign.abs");
  add_other<F16, true>(r, "ftz", "ftz.NaN", "ftz.xorsign.abs", "ftz.NaN.xorsign.abs");
  add_other<BF16, false>(r, "", "NaN", "xorsign.abs", "NaN.xorsign.abs");
  add_conversions(r);
}

}  // namespace kw::ptxvm::KW_ISA

// f32 arithmetic rounded to nearest even.

#include "handlers/float_ops.h"

namespace kw::ptxvm::KW_ISA {
namespace {

template <bool Z, bool S>
struct Add {
  static float f(float a, float b) { return out32<Z, S>(in32<Z>(a) + in32<Z>(b)); }
};
template <bool Z, bool S>
struct Sub {
  static float f(float a, float b) { return out32<Z, S>(in32<Z>(a) - in32<Z>(b)); }
};
template <bool S>
struct Mul {
  static float f(float a, float b) { return out32<false, S>(a * b); }
};
template <bool S>
struct Fma {
  static float f(float a, float b, float c) { return out32<false, S>(fused(a, b, c)); }
};
struct Div {
  static float f(float a, float b) { return canonical(a / b); }
};
// x * (1/y): where 1/y would be subnormal the hardware's quotient is zero, or NaN for infinite x.
template <bool Z>
struct DivApprox {
  static float f(float a, float b) {
    const float x = in32<Z>(a), y = in32<Z>(b);
    const float magnitude = __builtin_fabsf(y);
    const bool tiny = magnitude > 0x1p126f && magnitude < __builtin_inff();
    const float quotient = x / y;
    const float zero = x * 0.0f;  // keeps the sign of x; NaN for infinite x
    const bool edge = Z && __builtin_fabsf(quotient) == kSmallestNormal &&
                      QuotientBelow::below(x, y, 0.0f, false);
    const float r = tiny || edge ? (y < 0 ? -zero : zero) : quotient;
    return out32<Z, false>(r);
  }
};
// Multiplication, fma and division with .ftz: flushed where the exact result is below 2^-126.
struct FlushedMul : ProductBelow {
  static float f(float a, float b, float) { return a * b; }
};
struct FlushedFma : FusedBelow {
  static float f(float a, float b, float c) { return fused(a, b, c); }
};
struct FlushedDiv : QuotientBelow {
  static float f(float a, float b, float) { return a / b; }
};
template <class Op, unsigned Sources, bool Sat>
const Ins* flushed(Warp& w, const Ins* ins) {
  const float* a = reg<const float>(w, ins->a);
  const float* b = reg<const float>(w, ins->b);
  const float* c = Sources == 3 ? reg<const float>(w, ins->c) : a;
  alignas(64) float t[kLanes];
  u32 edge = 0;
  KW_LANES {
    const float x = Op::f(flush(a[l]), flush(b[l]), flush(c[l]));
    edge |= (bit_cast<u32>(x) & 0x7fffffffu) == 0x00800000u ? 1u : 0u;
    t[l] = x;
  }
  if (KW_UNLIKELY(edge != 0)) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (__builtin_fabsf(t[l]) != kSmallestNormal) continue;
      if (Op::below(flush(a[l]), flush(b[l]), flush(c[l]), false)) t[l] *= 0.0f;
    }
  }
  for_lanes(w, reg<float>(w, ins->d), [&](unsigned l) { return out32<true, Sat>(t[l]); });
  KW_NEXT;
}

template <bool Z>
struct Rcp {
  static float f(float a) { return out32<Z, false>(1.0f / in32<Z>(a)); }
};
template <bool Z>
struct Sqrt {
  static float f(float a) { return out32<Z, false>(__builtin_sqrtf(in32<Z>(a))); }
};
template <bool Z>
struct Abs {
  static float f(float a) {
    return canonical(bit_cast<float>(bit_cast<u32>(in32<Z>(a)) & 0x7fffffffu));
  }
};
template <bool Z>
struct Neg {
  static float f(float a) {
    return canonical(bit_cast<float>(bit_cast<u32>(in32<Z>(a)) ^ 0x80000000u));
  }
};

enum class Nan { Other, Propagate };
template <bool Z, Nan N, bool Xor>
struct Max {
  static float f(float x, float y) {
    const float a = in32<Z>(x), b = in32<Z>(y);
    if (Xor) {
      const u32 sign = (bit_cast<u32>(a) ^ bit_cast<u32>(b)) & 0x80000000u;
      const float r = float_max(__builtin_fabsf(a), __builtin_fabsf(b));
      const bool nan = N == Nan::Propagate && (a != a || b != b);
      return canonical(nan ? bit_cast<float>(kNan32) : bit_cast<float>(bit_cast<u32>(r) | sign));
    }
    const bool nan = N == Nan::Propagate && (a != a || b != b);
    return nan ? bit_cast<float>(kNan32) : canonical(float_max(a, b));
  }
};
template <bool Z, Nan N, bool Xor>
struct Min {
  static float f(float x, float y) {
    const float a = in32<Z>(x), b = in32<Z>(y);
    if (Xor) {
      const u32 sign = (bit_cast<u32>(a) ^ bit_cast<u32>(b)) & 0x80000000u;
      const float r = float_min(__builtin_fabsf(a), __builtin_fabsf(b));
      const bool nan = N == Nan::Propagate && (a != a || b != b);
      return canonical(nan ? bit_cast<float>(kNan32) : bit_cast<float>(bit_cast<u32>(r) | sign));
    }
    const bool nan = N == Nan::Propagate && (a != a || b != b);
    return nan ? bit_cast<float>(kNan32) : canonical(float_min(a, b));
  }
};
struct CopySign {  // the sign of a on the magnitude of b
  static float f(float a, float b) {
    return bit_cast<float>((bit_cast<u32>(a) & 0x80000000u) | (bit_cast<u32>(b) & 0x7fffffffu));
  }
};

template <bool Z, bool S>
void add_arithmetic(Registry& r, const char* mid) {
  add_binary<float, float, float, Add<Z, S>>(r, "add", mid, "f32");
  add_binary<float, float, float, Sub<Z, S>>(r, "sub", mid, "f32");
  if constexpr (!Z) {
    add_binary<float, float, float, Mul<S>>(r, "mul", mid, "f32");
    add_ternary<float, float, float, float, Fma<S>>(r, "fma", mid, "f32");
  }
}

template <bool Z>
void add_ftz(Registry& r, const char* ftz, const char* nan, const char* xorsign,
             const char* nan_xorsign, const char* approx) {
  add_binary<float, float, float, DivApprox<Z>>(r, "div", approx, "f32");
  add_unary<float, float, Rcp<Z>>(r, "rcp", ftz, "f32");
  add_unary<float, float, Rcp<Z>>(r, "rcp", approx, "f32");
  add_unary<float, float, Sqrt<Z>>(r, "sqrt", ftz, "f32");
  add_unary<float, float, Sqrt<Z>>(r, "sqrt", approx, "f32");
  add_unary<float, float, Abs<Z>>(r, "abs", ftz, "f32");
  add_unary<float, float, Neg<Z>>(r, "neg", ftz, "f32");
  add_binary<float, float, float, Max<Z, Nan::Other, false>>(r, "max", ftz, "f32");
  add_binary<float, float, float, Min<Z, Nan::Other, false>>(r, "min", ftz, "f32");
  add_binary<float, float, float, Max<Z, Nan::Propagate, false>>(r, "max", nan, "f32");
  add_binary<float, float, float, Min<Z, Nan::Propagate, false>>(r, "min", nan, "f32");
  add_binary<float, float, float, Max<Z, Nan::Other, true>>(r, "max", xorsign, "f32");
  add_binary<float, float, float, Min<Z, Nan::Other, true>>(r, "min", xorsign, "f32");
  add_binary<float, float, float, Max<Z, Nan::Propagate, true>>(r, "max", nan_xorsign, "f32");
  add_binary<float, float, float, Min<Z, Nan::Propagate, true>>(r, "min", nan_xorsign, "f32");
}

}  // namespace

void register_float32(Registry& r) {
  add_arithmetic<false, false>(r, "");
  add_arithmetic<true, false>(r, "ftz");
  add_arithmetic<false, true>(r, "sat");
  add_arithmetic<true, true>(r, "ftz.sat");
  r.add("mul.ftz.f32", flushed<FlushedMul, 2, false>, {4, 4, 4, 0});
  r.add("mul.ftz.sat.f32", flushed<FlushedMul, 2, true>, {4, 4, 4, 0});
  r.add("fma.ftz.f32", flushed<FlushedFma, 3, false>, {4, 4, 4, 4});
  r.add("fma.ftz.sat.f32", flushed<FlushedFma, 3, true>, {4, 4, 4, 4});
  r.add("div.ftz.f32", flushed<FlushedDiv, 2, false>, {4, 4, 4, 0});
  r.add("div.full.ftz.f32", flushed<FlushedDiv, 2, false>, {4, 4, 4, 0});
  add_ftz<false>(r, "", "NaN", "xorsign.abs", "NaN.xorsign.abs", "approx");
  add_ftz<true>(r, "ftz", "ftz.NaN", "ftz.xorsign.abs", "ftz.NaN.xorsign.abs", "approx.ftz");
  add_binary<float, float, float, Div>(r, "div", "", "f32");
  add_binary<float, float, float, Div>(r, "div", "full", "f32");
  add_binary<float, float, float, CopySign>(r, "copysign", "", "f32");
}

}  // namespace kw::ptxvm::KW_ISA

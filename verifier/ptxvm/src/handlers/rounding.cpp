// Arithmetic and conversions in the directed rounding modes, by the host's rounding mode, and
// integer to 16-bit floating point.

#include <cfenv>

#include "handlers/narrow.h"

namespace kw::ptxvm::baseline {
namespace {

// The computation reads and writes memory that the barriers make opaque, so that it can be neither
// folded nor moved out of the span in which the mode is set.
inline void barrier(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

// The float operations know when a result of 2^-126 was rounded up to it (float_ops.h).
struct Add : ExactNearTiny {
  template <class T>
  static T f(T a, T b, T) {
    return a + b;
  }
};
struct Sub : ExactNearTiny {
  template <class T>
  static T f(T a, T b, T) {
    return a - b;
  }
};
struct Mul : ProductBelow {
  template <class T>
  static T f(T a, T b, T) {
    return a * b;
  }
};
struct Fma : FusedBelow {
  template <class T>
  static T f(T a, T b, T c) {
    return fused(a, b, c);
  }
};
struct Div : QuotientBelow {
  template <class T>
  static T f(T a, T b, T) {
    return a / b;
  }
};
struct Rcp : ExactNearTiny {
  template <class T>
  static T f(T a, T, T) {
    return 1 / a;
  }
};
struct Sqrt : ExactNearTiny {
  static float f(float a, float, float) { return __builtin_sqrtf(a); }
  static double f(double a, double, double) { return __builtin_sqrt(a); }
};

// x: host rounding mode, y: 1 flush, 2 saturate.
template <class T, unsigned Sources, class Op>
const Ins* directed(Warp& w, const Ins* ins) {
  alignas(64) T in[3][kLanes] = {}, out[kLanes] = {};
  const u32 operands[3] = {ins->a, ins->b, ins->c};
  const bool ftz = (ins->y & 1) != 0, sat = (ins->y & 2) != 0;
  for (unsigned s = 0; s < Sources; ++s) {
    const T* from = reg<const T>(w, operands[s]);
    for (unsigned l = 0; l < kLanes; ++l) {
      in[s][l] = from[l];
      if constexpr (sizeof(T) == 4) in[s][l] = ftz ? flush(from[l]) : from[l];
    }
  }
  const int before = std::fegetround();
  std::fesetround(static_cast<int>(ins->x));
  barrier(in);
  barrier(out);
  for (unsigned l = 0; l < kLanes; ++l) out[l] = Op::f(in[0][l], in[1][l], in[2][l]);
  barrier(out);
  std::fesetround(before);
  T* d = reg<T>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    d[l] = out[l];
    if constexpr (sizeof(T) == 4) {
      float flushed = ftz ? flush(out[l]) : out[l];
      if (ftz && __builtin_fabsf(out[l]) == kSmallestNormal &&
          Op::below(in[0][l], in[1][l], in[2][l], true))
        flushed *= 0.0f;
      d[l] = sat ? saturate(flushed) : canonical(flushed);
    }
  }
  return ins + 1;
}

template <class D, class A>
const Ins* convert(Warp& w, const Ins* ins) {
  const A* a = reg<const A>(w, ins->a);
  alignas(64) D out[kLanes] = {};
  const int before = std::fegetround();
  std::fesetround(static_cast<int>(ins->x));
  barrier(a);
  barrier(out);
  for (unsigned l = 0; l < kLanes; ++l) out[l] = static_cast<D>(a[l]);
  barrier(out);
  std::fesetround(before);
  D* d = reg<D>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    d[l] = out[l];
    if constexpr (sizeof(D) == 4) {
      const float flushed = (ins->y & 1) != 0 ? flush(out[l]) : out[l];
      d[l] = (ins->y & 2) != 0 ? saturate(flushed) : flushed;
    }
  }
  return ins + 1;
}

// A 64-bit integer as f64 rounded to odd, fit for one more rounding.
double odd_double(u64 v) {
  if (v >> 53 == 0) return static_cast<double>(v);
  return static_cast<double>(v >> 11 | static_cast<u64>((v & 0x7ff) != 0)) * 2048.0;
}
template <class A>
float odd_float(A a) {
  const bool negative = a < 0;
  const u64 magnitude = negative ? 0 - static_cast<u64>(a) : static_cast<u64>(a);
  const float f = round_to_odd(odd_double(magnitude));
  return negative ? -f : f;
}
template <u16 (*Encode)(float)>
struct To16 {
  template <class A>
  static u16 f(A a) {
    return Encode(odd_float(a));
  }
};
struct LowByteU {
  template <class Op>
  struct Of {
    static u16 f(u16 a) { return Op::f(static_cast<u8>(a)); }
  };
};
struct LowByteS {
  template <class Op>
  struct Of {
    static u16 f(u16 a) { return Op::f(static_cast<s8>(a)); }
  };
};

template <class Op>
void add_to_16(Registry& r, const char* base, const char* to) {
  add_unary<u16, u16, LowByteU::Of<Op>>(r, base, to, "u8");
  add_unary<u16, u16, LowByteS::Of<Op>>(r, base, to, "s8");
  add_unary<u16, u16, Op>(r, base, to, "u16");
  add_unary<u16, s16, Op>(r, base, to, "s16");
  add_unary<u16, u32, Op>(r, base, to, "u32");
  add_unary<u16, s32, Op>(r, base, to, "s32");
  add_unary<u16, u64, Op>(r, base, to, "u64");
  add_unary<u16, s64, Op>(r, base, to, "s64");
}

template <class T>
void add_type(Registry& r, const char* type) {
  const std::uint8_t n = width<T>();
  r.add("$round.add", type, "", directed<T, 2, Add>, {n, n, n, 0});
  r.add("$round.sub", type, "", directed<T, 2, Sub>, {n, n, n, 0});
  r.add("$round.mul", type, "", directed<T, 2, Mul>, {n, n, n, 0});
  r.add("$round.fma", type, "", directed<T, 3, Fma>, {n, n, n, n});
  r.add("$round.div", type, "", directed<T, 2, Div>, {n, n, n, 0});
  r.add("$round.rcp", type, "", directed<T, 1, Rcp>, {n, n, 0, 0});
  r.add("$round.sqrt", type, "", directed<T, 1, Sqrt>, {n, n, 0, 0});
}
template <class D>
void add_from_integers(Registry& r, const char* to) {
  const std::uint8_t n = width<D>();
  r.add("$round.cvt", to, "u32", convert<D, u32>, {n, 4, 0, 0});
  r.add("$round.cvt", to, "s32", convert<D, s32>, {n, 4, 0, 0});
  r.add("$round.cvt", to, "u64", convert<D, u64>, {n, 8, 0, 0});
  r.add("$round.cvt", to, "s64", convert<D, s64>, {n, 8, 0, 0});
}

}  // namespace

void register_rounding(Registry& r) {
  add_type<float>(r, "f32");
  add_type<double>(r, "f64");
  add_from_integers<float>(r, "f32");
  add_from_integers<double>(r, "f64");
  r.add("$round.cvt.f32.f64", convert<float, double>, {4, 8, 0, 0});
  add_to_16<To16<float_to_half>>(r, "cvt.rn", "f16");
  add_to_16<To16<float_to_half_rz>>(r, "cvt.rz", "f16");
  add_to_16<To16<float_to_bf16>>(r, "cvt.rn", "bf16");
  add_to_16<To16<float_to_bf16_rz>>(r, "cvt.rz", "bf16");
  add_to_16<To16<half_down>>(r, "cvt.rm", "f16");
  add_to_16<To16<half_up>>(r, "cvt.rp", "f16");
  add_to_16<To16<bf16_down>>(r, "cvt.rm", "bf16");
  add_to_16<To16<bf16_up>>(r, "cvt.rp", "bf16");
}

}  // namespace kw::ptxvm::baseline

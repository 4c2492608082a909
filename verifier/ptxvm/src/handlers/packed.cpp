// Packed 16-bit integers, cvt.pack, and what is done to a conversion's result: clamping to [0, 1],
// to the finite numbers, or away from negative ones.

#include "handlers/narrow.h"

namespace kw::ptxvm::baseline {
namespace {

template <class T, class Op>
struct Halves {
  static u32 f(u32 a, u32 b) {
    const auto one = [](u32 x, u32 y) {
      return static_cast<u32>(static_cast<u16>(Op::f(static_cast<T>(x), static_cast<T>(y))));
    };
    return one(a & 0xffffu, b & 0xffffu) | one(a >> 16, b >> 16) << 16;
  }
};
struct Add {
  static int f(int a, int b) { return a + b; }
};
struct Min {
  static int f(int a, int b) { return a < b ? a : b; }
};
struct Max {
  static int f(int a, int b) { return a < b ? b : a; }
};
template <class Op>
struct Relu {
  static int f(int a, int b) { return Op::f(a, b) < 0 ? 0 : Op::f(a, b); }
};

// Two clamped numbers, a above b; for bytes the low half of c goes above them.
template <class T>
s64 clamped(s32 a) {
  constexpr s64 low = static_cast<T>(-1) < T{1} ? -(s64{1} << (8 * sizeof(T) - 1)) : 0;
  constexpr s64 high = static_cast<T>(-1) < T{1} ? (s64{1} << (8 * sizeof(T) - 1)) - 1
                                                 : (s64{1} << (8 * sizeof(T))) - 1;
  return a < low ? low : a > high ? high : a;
}
template <class T>
struct Pack2 {
  static u32 f(s32 a, s32 b) {
    return static_cast<u32>(static_cast<u16>(clamped<T>(a))) << 16 |
           static_cast<u16>(clamped<T>(b));
  }
};
template <class T>
struct Pack4 {
  static u32 f(s32 a, s32 b, u32 c) {
    return c << 16 | static_cast<u32>(static_cast<u8>(clamped<T>(a))) << 8 |
           static_cast<u8>(clamped<T>(b));
  }
};
struct Mad24HiSat {
  static s32 f(s32 a, s32 b, s32 c) {
    const s64 product = static_cast<s64>(a << 8 >> 8) * (b << 8 >> 8);
    const s64 sum = static_cast<s64>(static_cast<s32>(product >> 16)) + c;
    return static_cast<s32>(sum > 2147483647      ? 2147483647
                            : sum < -2147483648LL ? -2147483648LL
                                                  : sum);
  }
};

// One 16-bit float by its bits; Infinity is the code of +infinity, One of 1.
template <u16 Infinity, u16 One>
struct Sat16 {
  static u16 f(u16 h) {
    if ((h & 0x7fffu) > Infinity || (h & 0x8000u) != 0) return 0;
    return h > One ? One : h;
  }
};
template <u16 Infinity>
struct Relu16 {
  static u16 f(u16 h) {
    if ((h & 0x7fffu) > Infinity) return kNan16;
    return (h & 0x8000u) != 0 ? u16{0} : h;
  }
};
template <u16 Infinity>
struct Finite16 {
  static u16 f(u16 h) { return (h & 0x7fffu) == Infinity ? static_cast<u16>(h - 1) : h; }
};
template <u16 Infinity>
struct Canonical16 {
  static u16 f(u16 h) { return (h & 0x7fffu) > Infinity ? kNan16 : h; }
};
struct FlushHalf {
  static u16 f(u16 h) { return (h & 0x7c00u) == 0 ? h & 0x8000u : h; }
};
template <class Op>
struct Both {
  static u32 f(u32 a) {
    return Op::f(static_cast<u16>(a)) | static_cast<u32>(Op::f(static_cast<u16>(a >> 16))) << 16;
  }
};
struct ReluTf32 {
  static u32 f(u32 a) { return (a & 0x7fffffffu) <= 0x7f800000u && (a >> 31) != 0 ? 0 : a; }
};

template <u16 Infinity, u16 One>
void add_finish(Registry& r, const char* type, const char* pair) {
  add_unary<u16, u16, Sat16<Infinity, One>>(r, "$sat", "", type);
  add_unary<u16, u16, Relu16<Infinity>>(r, "$relu", "", type);
  add_unary<u16, u16, Finite16<Infinity>>(r, "$finite", "", type);
  add_unary<u16, u16, Canonical16<Infinity>>(r, "$canonical", "", type);
  add_unary<u32, u32, Both<Sat16<Infinity, One>>>(r, "$sat", "", pair);
  add_unary<u32, u32, Both<Relu16<Infinity>>>(r, "$relu", "", pair);
  add_unary<u32, u32, Both<Finite16<Infinity>>>(r, "$finite", "", pair);
}

}  // namespace

void register_packed(Registry& r) {
  add_binary<u32, u32, u32, Halves<u16, Add>>(r, "add", "", "u16x2");
  add_binary<u32, u32, u32, Halves<s16, Add>>(r, "add", "", "s16x2");
  add_binary<u32, u32, u32, Halves<u16, Min>>(r, "min", "", "u16x2");
  add_binary<u32, u32, u32, Halves<u16, Max>>(r, "max", "", "u16x2");
  add_binary<u32, u32, u32, Halves<s16, Min>>(r, "min", "", "s16x2");
  add_binary<u32, u32, u32, Halves<s16, Max>>(r, "max", "", "s16x2");
  add_binary<u32, u32, u32, Halves<s16, Relu<Min>>>(r, "min", "relu", "s16x2");
  add_binary<u32, u32, u32, Halves<s16, Relu<Max>>>(r, "max", "relu", "s16x2");
  add_binary<u32, s32, s32, Pack2<u16>>(r, "cvt.pack", "sat", "u16.s32");
  add_binary<u32, s32, s32, Pack2<s16>>(r, "cvt.pack", "sat", "s16.s32");
  add_ternary<u32, s32, s32, u32, Pack4<u8>>(r, "cvt.pack", "sat", "u8.s32.b32");
  add_ternary<u32, s32, s32, u32, Pack4<s8>>(r, "cvt.pack", "sat", "s8.s32.b32");
  add_ternary<s32, s32, s32, s32, Mad24HiSat>(r, "mad24", "hi.sat", "s32");
  add_finish<0x7c00, 0x3c00>(r, "f16", "f16x2");
  add_finish<0x7f80, 0x3f80>(r, "bf16", "bf16x2");
  add_unary<u16, u16, FlushHalf>(r, "$flush", "", "f16");
  add_unary<u32, u32, ReluTf32>(r, "$relu", "", "tf32");
}

}  // namespace kw::ptxvm::baseline

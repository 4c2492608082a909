// Integer arithmetic of 16, 32 and 64 bits.

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {
namespace {

// Wrapping arithmetic: signed types are computed as unsigned.
template <class T>
struct Unsigned;
template <>
struct Unsigned<u16> {
  using type = u32;
};
template <>
struct Unsigned<s16> {
  using type = u32;
};
template <>
struct Unsigned<u32> {
  using type = u32;
};
template <>
struct Unsigned<s32> {
  using type = u32;
};
template <>
struct Unsigned<u64> {
  using type = u64;
};
template <>
struct Unsigned<s64> {
  using type = u64;
};
template <class T>
typename Unsigned<T>::type u(T value) {
  return static_cast<typename Unsigned<T>::type>(value);
}

template <class T>
struct Wide;
template <>
struct Wide<u16> {
  using type = u32;
};
template <>
struct Wide<s16> {
  using type = s32;
};
template <>
struct Wide<u32> {
  using type = u64;
};
template <>
struct Wide<s32> {
  using type = s64;
};
__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 s128;
template <>
struct Wide<u64> {
  using type = u128;
};
template <>
struct Wide<s64> {
  using type = s128;
};

struct Add {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(u(a) + u(b));
  }
};
struct Sub {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(u(a) - u(b));
  }
};
struct Mul {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(u(a) * u(b));
  }
};
struct MulHi {
  template <class T>
  static T f(T a, T b) {
    using W = typename Wide<T>::type;
    return static_cast<T>((static_cast<W>(a) * static_cast<W>(b)) >> (8 * sizeof(T)));
  }
};
struct MulWide {
  template <class T>
  static auto f(T a, T b) {
    using W = typename Wide<T>::type;
    return static_cast<W>(static_cast<W>(a) * static_cast<W>(b));
  }
};
struct Mad {
  template <class T>
  static T f(T a, T b, T c) {
    return static_cast<T>(u(a) * u(b) + u(c));
  }
};
struct MadHi {
  template <class T>
  static T f(T a, T b, T c) {
    return Add::f(MulHi::f(a, b), c);
  }
};
struct MadWide {
  template <class T, class W>
  static W f(T a, T b, W c) {
    return static_cast<W>(u(static_cast<W>(MulWide::f(a, b))) + u(c));
  }
};
struct Neg {
  template <class T>
  static T f(T a) {
    return static_cast<T>(0 - u(a));
  }
};
struct Abs {
  template <class T>
  static T f(T a) {
    return a < 0 ? static_cast<T>(0 - u(a)) : a;
  }
};
struct Min {
  template <class T>
  static T f(T a, T b) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static T f(T a, T b) {
    return a < b ? b : a;
  }
};
struct MinRelu {
  template <class T>
  static T f(T a, T b) {
    const T r = b < a ? b : a;
    return r < 0 ? T{0} : r;
  }
};
struct MaxRelu {
  template <class T>
  static T f(T a, T b) {
    const T r = a < b ? b : a;
    return r < 0 ? T{0} : r;
  }
};
struct Sad {
  template <class T>
  static T f(T a, T b, T c) {
    return static_cast<T>(u(c) + (a < b ? u(b) - u(a) : u(a) - u(b)));
  }
};
// Division by zero and its remainder are unspecified by PTX; the hardware gives all ones.
struct Div {
  template <class T>
  static T f(T a, T b) {
    if (b == 0) return static_cast<T>(~u(T{0}));
    if (static_cast<T>(-1) < 0 && b == static_cast<T>(-1)) return static_cast<T>(0 - u(a));
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  static T f(T a, T b) {
    if (b == 0) return static_cast<T>(~u(T{0}));
    if (static_cast<T>(-1) < 0 && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct AddSat {
  static s32 f(s32 a, s32 b) {
    const s64 r = static_cast<s64>(a) + b;
    return r > 2147483647        ? 2147483647
           : r < -2147483647 - 1 ? -2147483647 - 1
                                 : static_cast<s32>(r);
  }
};
struct SubSat {
  static s32 f(s32 a, s32 b) {
    const s64 r = static_cast<s64>(a) - b;
    return r > 2147483647        ? 2147483647
           : r < -2147483647 - 1 ? -2147483647 - 1
                                 : static_cast<s32>(r);
  }
};
struct MadHiSat {
  static s32 f(s32 a, s32 b, s32 c) { return AddSat::f(MulHi::f(a, b), c); }
};

// The low 24 bits of each operand, sign or zero extended; 48-bit product.
template <class T>
T low24(T a) {
  return static_cast<T>(static_cast<T>(u(a) << 8) >> 8);
}
struct Mul24Lo {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(MulWide::f(low24(a), low24(b)));
  }
};
struct Mul24Hi {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(MulWide::f(low24(a), low24(b)) >> 16);
  }
};
struct Mad24Lo {
  template <class T>
  static T f(T a, T b, T c) {
    return Add::f(Mul24Lo::f(a, b), c);
  }
};
struct Mad24Hi {
  template <class T>
  static T f(T a, T b, T c) {
    return Add::f(Mul24Hi::f(a, b), c);
  }
};

template <class T>
void add_type(Registry& r, const char* type) {
  add_binary<T, T, T, Add>(r, "add", "", type);
  add_binary<T, T, T, Sub>(r, "sub", "", type);
  add_binary<T, T, T, Mul>(r, "mul", "", type);
  add_binary<T, T, T, MulHi>(r, "mul", "hi", type);
  add_ternary<T, T, T, T, Mad>(r, "mad", "", type);
  add_ternary<T, T, T, T, MadHi>(r, "mad", "hi", type);
  add_binary<T, T, T, Min>(r, "min", "", type);
  add_binary<T, T, T, Max>(r, "max", "", type);
  add_binary<T, T, T, Div>(r, "div", "", type);
  add_binary<T, T, T, Rem>(r, "rem", "", type);
  add_ternary<T, T, T, T, Sad>(r, "sad", "", type);
}
template <class T, class W>
void add_wide(Registry& r, const char* type) {
  add_binary<W, T, T, MulWide>(r, "mul", "wide", type);
  add_ternary<W, T, T, W, MadWide>(r, "mad", "wide", type);
}
template <class T>
void add_24(Registry& r, const char* type) {
  add_binary<T, T, T, Mul24Lo>(r, "mul24", "lo", type);
  add_binary<T, T, T, Mul24Hi>(r, "mul24", "hi", type);
  add_ternary<T, T, T, T, Mad24Lo>(r, "mad24", "lo", type);
  add_ternary<T, T, T, T, Mad24Hi>(r, "mad24", "hi", type);
}

}  // namespace

void register_integer(Registry& r) {
  add_type<u16>(r, "u16");
  add_type<s16>(r, "s16");
  add_type<u32>(r, "u32");
  add_type<s32>(r, "s32");
  add_type<u64>(r, "u64");
  add_type<s64>(r, "s64");
  add_wide<u16, u32>(r, "u16");
  add_wide<s16, s32>(r, "s16");
  add_wide<u32, u64>(r, "u32");
  add_wide<s32, s64>(r, "s32");
  add_unary<s16, s16, Neg>(r, "neg", "", "s16");
  add_unary<s32, s32, Neg>(r, "neg", "", "s32");
  add_unary<s64, s64, Neg>(r, "neg", "", "s64");
  add_unary<s16, s16, Abs>(r, "abs", "", "s16");
  add_unary<s32, s32, Abs>(r, "abs", "", "s32");
  add_unary<s64, s64, Abs>(r, "abs", "", "s64");
  add_binary<s32, s32, s32, AddSat>(r, "add", "sat", "s32");
  add_binary<s32, s32, s32, SubSat>(r, "sub", "sat", "s32");
  add_ternary<s32, s32, s32, s32, MadHiSat>(r, "mad", "hi.sat", "s32");
  add_binary<s32, s32, s32, MinRelu>(r, "min", "relu", "s32");
  add_binary<s32, s32, s32, MaxRelu>(r, "max", "relu", "s32");
  add_24<u32>(r, "u32");
  add_24<s32>(r, "s32");
}

}  // namespace kw::ptxvm::KW_ISA

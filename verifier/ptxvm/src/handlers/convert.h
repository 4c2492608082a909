#pragma once
// One lane's conversions between integers, and from floating point to integers.

#include "handlers/narrow.h"

namespace kw::ptxvm::KW_ISA {

// A PTX type: how it lies in a register (Store) and the value it stands for (Value).
template <class V, class S>
struct Plain {
  using Value = V;
  using Store = S;
  static V load(S s) { return static_cast<V>(s); }
  static S store(V v) { return static_cast<S>(v); }
};
struct TU8 : Plain<u8, u16> {
  static constexpr const char* name = "u8";
};
struct TS8 : Plain<s8, s16> {
  static constexpr const char* name = "s8";
};
struct TU16 : Plain<u16, u16> {
  static constexpr const char* name = "u16";
};
struct TS16 : Plain<s16, s16> {
  static constexpr const char* name = "s16";
};
struct TU32 : Plain<u32, u32> {
  static constexpr const char* name = "u32";
};
struct TS32 : Plain<s32, s32> {
  static constexpr const char* name = "s32";
};
struct TU64 : Plain<u64, u64> {
  static constexpr const char* name = "u64";
};
struct TS64 : Plain<s64, s64> {
  static constexpr const char* name = "s64";
};
struct TF32 : Plain<float, float> {
  static constexpr const char* name = "f32";
};
struct TF64 : Plain<double, double> {
  static constexpr const char* name = "f64";
};
struct TBF16 {
  using Value = float;
  using Store = u16;
  static constexpr const char* name = "bf16";
  static float load(u16 s) { return bf16_to_float(s); }
};
struct TF16 {
  using Value = float;
  using Store = u16;
  static constexpr const char* name = "f16";
  static float load(u16 s) { return half_to_float(s); }
};

template <class T>
constexpr bool kSigned = static_cast<T>(-1) < T{1};
template <class T>
constexpr T kLowest = kSigned<T> ? static_cast<T>(u64{1} << (8 * sizeof(T) - 1)) : T{0};
template <class T>
constexpr T kHighest = static_cast<T>(~kLowest<T>);

template <class D, class A>
void add(Registry& r, const char* mid, Handler handler) {
  // mid.D.A: two levels of names
  char name[48] = "cvt";
  const char* const parts[] = {mid, D::name, A::name};
  for (const char* part : parts) {
    if (*part == '\0') continue;
    std::strcat(name, ".");
    std::strcat(name, part);
  }
  r.add(name, handler, {width<typename D::Store>(), width<typename A::Store>(), 0, 0});
}

template <class D, class A>
struct IntToInt {
  static typename D::Store f(typename A::Store a) {
    return D::store(static_cast<typename D::Value>(A::load(a)));
  }
};
template <class D, class A>
struct IntToIntSat {
  static typename D::Store f(typename A::Store a) {
    using T = typename D::Value;
    const typename A::Value v = A::load(a);
    if (v < 0) {
      if (!kSigned<T>) return D::store(T{0});
      return D::store(static_cast<s64>(v) < static_cast<s64>(kLowest<T>) ? kLowest<T>
                                                                         : static_cast<T>(v));
    }
    return D::store(static_cast<u64>(v) > static_cast<u64>(kHighest<T>) ? kHighest<T>
                                                                        : static_cast<T>(v));
  }
};

enum class Round { Nearest, Zero, Down, Up };
template <Round round, class F>
F to_integral(F x) {
  if constexpr (sizeof(F) == 4) {
    switch (round) {
      case Round::Nearest:
        return __builtin_rintf(x);
      case Round::Zero:
        return __builtin_truncf(x);
      case Round::Down:
        return __builtin_floorf(x);
      case Round::Up:
        return __builtin_ceilf(x);
    }
  } else {
    if (x != x) return x + x;  // quiet, with its payload
    switch (round) {
      case Round::Nearest:
        return __builtin_rint(x);
      case Round::Zero:
        return __builtin_trunc(x);
      case Round::Down:
        return __builtin_floor(x);
      case Round::Up:
        return __builtin_ceil(x);
    }
  }
  return x;
}

// Out of range clamps. NaN gives 0 from f32 and f16 to 32 bits and fewer, else the top bit alone.
template <Round round, bool Ftz, class D, class A>
struct FloatToInt {
  static typename D::Store f(typename A::Store a) {
    using T = typename D::Value;
    using F = typename A::Value;
    F x = A::load(a);
    if constexpr (Ftz && sizeof(F) == 4) x = flush(x);
    const F v = to_integral<round>(x);
    constexpr F kLimit =
        static_cast<F>(u64{1} << (8 * sizeof(T) - 1)) * (kSigned<T> ? 1 : 2);  // 2^bits
    constexpr bool kTopBitForNan = sizeof(T) == 8 || sizeof(F) == 8;
    constexpr T kNan = kTopBitForNan ? static_cast<T>(u64{1} << (8 * sizeof(T) - 1)) : T{0};
    const bool high = v >= kLimit;
    const bool low = kSigned<T> ? v < -kLimit : v < 0;
    const F inside = high || low || v != v ? F{0} : v;
    T r;
    if constexpr (sizeof(T) < 8)
      r = static_cast<T>(static_cast<s64>(inside));
    else
      r = static_cast<T>(inside);
    r = high ? kHighest<T> : low ? kLowest<T> : r;
    return D::store(v != v ? kNan : r);
  }
};

template <Round round, class D, class A>
void add_float_to_int(Registry& r, const char* mode, const char* mode_ftz) {
  using DS = typename D::Store;
  using AS = typename A::Store;
  add<D, A>(r, mode, unary<DS, AS, FloatToInt<round, false, D, A>>);
  if constexpr (sizeof(AS) == 4)
    add<D, A>(r, mode_ftz, unary<DS, AS, FloatToInt<round, true, D, A>>);
}
template <class D, class A>
void add_float_to_int_modes(Registry& r) {
  add_float_to_int<Round::Nearest, D, A>(r, "rni", "rni.ftz");
  add_float_to_int<Round::Zero, D, A>(r, "rzi", "rzi.ftz");
  add_float_to_int<Round::Down, D, A>(r, "rmi", "rmi.ftz");
  add_float_to_int<Round::Up, D, A>(r, "rpi", "rpi.ftz");
}
template <class D, class A>
struct IntToFloat {
  static typename D::Store f(typename A::Store a) {
    return static_cast<typename D::Value>(A::load(a));
  }
};

}  // namespace kw::ptxvm::KW_ISA

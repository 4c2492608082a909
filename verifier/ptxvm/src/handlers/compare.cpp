// setp and testp: one comparison per lane into a mask register. Boolean combination, the second
// destination and `set` are made of these by lowering.

#include "handlers/float_ops.h"

namespace kw::ptxvm::KW_ISA {
namespace {

struct Eq {
  template <class T>
  static bool f(T a, T b) {
    return a == b;
  }
};
struct Ne {
  template <class T>
  static bool f(T a, T b) {
    return a < b || a > b;
  }
};  // ordered for floats
struct Lt {
  template <class T>
  static bool f(T a, T b) {
    return a < b;
  }
};
struct Le {
  template <class T>
  static bool f(T a, T b) {
    return a <= b;
  }
};
struct Gt {
  template <class T>
  static bool f(T a, T b) {
    return a > b;
  }
};
struct Ge {
  template <class T>
  static bool f(T a, T b) {
    return a >= b;
  }
};
struct Equ {
  template <class T>
  static bool f(T a, T b) {
    return !(a < b || a > b);
  }
};
struct Neu {
  template <class T>
  static bool f(T a, T b) {
    return !(a == b);
  }
};
struct Ltu {
  template <class T>
  static bool f(T a, T b) {
    return !(a >= b);
  }
};
struct Leu {
  template <class T>
  static bool f(T a, T b) {
    return !(a > b);
  }
};
struct Gtu {
  template <class T>
  static bool f(T a, T b) {
    return !(a <= b);
  }
};
struct Geu {
  template <class T>
  static bool f(T a, T b) {
    return !(a < b);
  }
};
struct Num {
  template <class T>
  static bool f(T a, T b) {
    return a == a && b == b;
  }
};
struct IsNan {
  template <class T>
  static bool f(T a, T b) {
    return a != a || b != b;
  }
};

template <class T, bool Ftz, class Op>
const Ins* setp(Warp& w, const Ins* ins) {
  const T* a = reg<const T>(w, ins->a);
  const T* b = reg<const T>(w, ins->b);
  set_mask(w, mask_reg(w, ins->d), [=](unsigned l) {
    if constexpr (Ftz)
      return Op::f(flush(a[l]), flush(b[l]));
    else
      return Op::f(a[l], b[l]);
  });
  KW_NEXT;
}

template <class T, bool Ftz, class Op>
void add(Registry& r, const char* op, const char* type) {
  r.add("setp", op, type, setp<T, Ftz, Op>, {1, width<T>(), width<T>(), 0});
}

template <class T>
void add_integer(Registry& r, const char* type) {
  add<T, false, Eq>(r, "eq", type);
  add<T, false, Ne>(r, "ne", type);
  add<T, false, Lt>(r, "lt", type);
  add<T, false, Le>(r, "le", type);
  add<T, false, Gt>(r, "gt", type);
  add<T, false, Ge>(r, "ge", type);
}
template <class T>
void add_unsigned_names(Registry& r, const char* type) {
  add<T, false, Lt>(r, "lo", type);
  add<T, false, Le>(r, "ls", type);
  add<T, false, Gt>(r, "hi", type);
  add<T, false, Ge>(r, "hs", type);
}

template <class T, bool Z>
void add_float(Registry& r, const char* type) {
  add<T, Z, Eq>(r, "eq", type);
  add<T, Z, Ne>(r, "ne", type);
  add<T, Z, Lt>(r, "lt", type);
  add<T, Z, Le>(r, "le", type);
  add<T, Z, Gt>(r, "gt", type);
  add<T, Z, Ge>(r, "ge", type);
  add<T, Z, Equ>(r, "equ", type);
  add<T, Z, Neu>(r, "neu", type);
  add<T, Z, Ltu>(r, "ltu", type);
  add<T, Z, Leu>(r, "leu", type);
  add<T, Z, Gtu>(r, "gtu", type);
  add<T, Z, Geu>(r, "geu", type);
  add<T, Z, Num>(r, "num", type);
  add<T, Z, IsNan>(r, "nan", type);
}

template <class T>
struct Layout;
template <>
struct Layout<float> {
  static constexpr u32 exponent = 0x7f800000u, fraction = 0x007fffffu;
};
template <>
struct Layout<double> {
  static constexpr u64 exponent = 0x7ff0000000000000u, fraction = 0x000fffffffffffffu;
};

enum class Test { Finite, Infinite, Number, NotANumber, Normal, Subnormal };
template <class T, Test test>
const Ins* testp(Warp& w, const Ins* ins) {
  using U = typename Bits<T>::type;
  const U* a = reg<const U>(w, ins->a);
  set_mask(w, mask_reg(w, ins->d), [=](unsigned l) {
    const U e = a[l] & Layout<T>::exponent, m = a[l] & Layout<T>::fraction;
    const bool special = e == Layout<T>::exponent;
    switch (test) {
      case Test::Finite:
        return !special;
      case Test::Infinite:
        return special && m == 0;
      case Test::Number:
        return !(special && m != 0);
      case Test::NotANumber:
        return special && m != 0;
      case Test::Normal:
        return !special && (e != 0 || m == 0);  // zero counts as normal
      case Test::Subnormal:
        return e == 0 && m != 0;
    }
    return false;
  });
  KW_NEXT;
}

template <class T>
void add_tests(Registry& r, const char* type) {
  const Signature s{1, width<T>(), 0, 0};
  r.add("testp", "finite", type, testp<T, Test::Finite>, s);
  r.add("testp", "infinite", type, testp<T, Test::Infinite>, s);
  r.add("testp", "number", type, testp<T, Test::Number>, s);
  r.add("testp", "notanumber", type, testp<T, Test::NotANumber>, s);
  r.add("testp", "normal", type, testp<T, Test::Normal>, s);
  r.add("testp", "subnormal", type, testp<T, Test::Subnormal>, s);
}

}  // namespace

void register_compare(Registry& r) {
  add_integer<u16>(r, "b16");
  add_integer<u16>(r, "u16");
  add_integer<s16>(r, "s16");
  add_integer<u32>(r, "b32");
  add_integer<u32>(r, "u32");
  add_integer<s32>(r, "s32");
  add_integer<u64>(r, "b64");
  add_integer<u64>(r, "u64");
  add_integer<s64>(r, "s64");
  add_unsigned_names<u16>(r, "u16");
  add_unsigned_names<u32>(r, "u32");
  add_unsigned_names<u64>(r, "u64");
  add_float<float, false>(r, "f32");
  add_float<float, true>(r, "ftz.f32");
  add_float<double, false>(r, "f64");
  add_tests<float>(r, "f32");
  add_tests<double>(r, "f64");
}

}  // namespace kw::ptxvm::KW_ISA

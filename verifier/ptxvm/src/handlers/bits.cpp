// Bit fields, permutations, counting, and the small integer dot products.

#include <type_traits>

#include "handlers/lanes.h"

namespace kw::ptxvm::baseline {
namespace {

template <class T>
constexpr u32 kBits = 8 * sizeof(T);

struct Popc {
  template <class T>
  static u32 f(T a) {
    return static_cast<u32>(__builtin_popcountll(a));
  }
};
struct Clz {
  static u32 f(u32 a) { return a == 0 ? 32 : static_cast<u32>(__builtin_clz(a)); }
  static u32 f(u64 a) { return a == 0 ? 64 : static_cast<u32>(__builtin_clzll(a)); }
};
struct Brev {
  template <class T>
  static T f(T a) {
    T r = 0;
    for (u32 i = 0; i < kBits<T>; ++i) r = static_cast<T>(r << 1 | (a >> i & 1));
    return r;
  }
};
// Position of the top bit that differs from the sign (signed) or from zero; all ones if there is
// none.
template <bool Shift>
struct Bfind {
  template <class T>
  static u32 f(T a) {
    using U = std::make_unsigned_t<T>;
    const U v = static_cast<U>(static_cast<T>(-1) < 0 && a < 0 ? ~a : a);
    if (v == 0) return ~0u;
    const u32 top = 63 - static_cast<u32>(__builtin_clzll(v));
    return Shift ? kBits<T> - 1 - top : top;
  }
};
// PTX reads the low 8 bits of position and length; the hardware does so only for 32-bit fields.
template <class T>
u32 field_operand(u32 x) {
  return sizeof(T) == 4 ? x & 0xff : x;
}
struct Bfe {
  template <class T>
  static T f(T a, u32 position, u32 length) {
    using U = std::make_unsigned_t<T>;
    const u32 msb = kBits<T> - 1;
    const u32 pos = field_operand<T>(position), len = field_operand<T>(length);
    const bool negative = static_cast<T>(-1) < 0;
    const u64 last = u64{pos} + len - 1;
    const u32 top = last < msb ? static_cast<u32>(last) : msb;
    const bool sign = negative && len != 0 && (static_cast<U>(a) >> top & 1) != 0;
    U r = sign ? static_cast<U>(~U{0}) : U{0};
    for (u32 i = 0; i <= msb && i < len && pos + i <= msb; ++i) {
      r = static_cast<U>((r & ~(U{1} << i)) | (static_cast<U>(a) >> (pos + i) & 1) << i);
    }
    return static_cast<T>(r);
  }
};
// d = b with the low bits of a put in at a position: a, b, position, length.
template <class T>
const Ins* bfi(Warp& w, const Ins* ins) {
  const T* a = reg<const T>(w, ins->a);
  const T* b = reg<const T>(w, ins->b);
  const u32* position = reg<const u32>(w, ins->c);
  const u32* length = reg<const u32>(w, ins->x);
  for_lanes(w, reg<T>(w, ins->d), [=](unsigned l) {
    const u32 pos = field_operand<T>(position[l]), len = field_operand<T>(length[l]);
    if (pos >= kBits<T> || len == 0) return b[l];
    const T field = static_cast<T>(len >= kBits<T> ? ~T{0} : (T{1} << len) - 1);
    const T mask = static_cast<T>(field << pos);
    return static_cast<T>((b[l] & ~mask) | (static_cast<T>(a[l] << pos) & mask));
  });
  return ins + 1;
}
struct Bmsk {  // ones from bit a, b of them
  template <bool Wrap>
  static u32 make(u32 a, u32 b) {
    const u32 start = Wrap ? a & 31 : a, count = Wrap ? b & 31 : b;
    if (start > 31) return 0;
    const u64 ones = count > 31 ? 0xffffffffu : (u64{1} << count) - 1;
    return static_cast<u32>(ones << start);
  }
};
template <bool Wrap>
struct BmskOp {
  static u32 f(u32 a, u32 b) { return Bmsk::make<Wrap>(a, b); }
};
template <bool Signed, bool Wrap>
struct Szext {  // extends the low b bits
  static u32 f(u32 a, u32 b) {
    const u32 n = Wrap ? b & 31 : b;
    if (n == 0) return 0;
    if (n > 31) return a;
    const u32 low = a & ((1u << n) - 1);
    return Signed && (low >> (n - 1) & 1) != 0 ? low | ~((1u << n) - 1) : low;
  }
};
// The position of the c-th set bit of a, from bit b on: upward for c > 0, downward for c < 0.
struct Fns {
  static u32 f(u32 mask, u32 base, s32 offset) {
    if (offset == 0) return base < 32 && (mask >> base & 1) != 0 ? base : ~0u;
    const s64 step = offset > 0 ? 1 : -1;
    s64 count = offset > 0 ? offset : -static_cast<s64>(offset);
    for (s64 i = base; i >= 0 && i < 32; i += step) {
      if ((mask >> i & 1) != 0 && --count == 0) return static_cast<u32>(i);
    }
    return ~0u;
  }
};

u32 byte_of(u64 bytes, u32 n) { return static_cast<u32>(bytes >> (8 * n) & 0xff); }
u32 gather(u64 bytes, u32 s0, u32 s1, u32 s2, u32 s3) {
  return byte_of(bytes, s0) | byte_of(bytes, s1) << 8 | byte_of(bytes, s2) << 16 |
         byte_of(bytes, s3) << 24;
}
enum class Prmt { Index, F4e, B4e, Rc8, Ecl, Ecr, Rc16 };
template <Prmt mode>
struct Permute {
  static u32 f(u32 a, u32 b, u32 c) {
    const u64 bytes = static_cast<u64>(b) << 32 | a;
    const u32 s = c & 3;
    switch (mode) {
      case Prmt::Index: {
        u32 r = 0;
        for (u32 i = 0; i < 4; ++i) {
          const u32 selector = c >> (4 * i) & 15;
          const u32 byte = byte_of(bytes, selector & 7);
          const u32 sign = (byte & 0x80) != 0 ? 0xffu : 0u;
          r |= ((selector & 8) != 0 ? sign : byte) << (8 * i);
        }
        return r;
      }
      case Prmt::F4e:
        return gather(bytes, s, s + 1, s + 2, s + 3);
      case Prmt::B4e:
        return gather(bytes, s, (s + 7) & 7, (s + 6) & 7, (s + 5) & 7);
      case Prmt::Rc8:
        return gather(bytes, s, s, s, s);
      case Prmt::Ecl:
        return gather(bytes, s, s > 1 ? s : 1, s > 2 ? s : 2, 3);
      case Prmt::Ecr:
        return gather(bytes, 0, s < 1 ? s : 1, s < 2 ? s : 2, s);
      case Prmt::Rc16:
        return (s & 1) != 0 ? gather(bytes, 2, 3, 2, 3) : gather(bytes, 0, 1, 0, 1);
    }
    return 0;
  }
};

template <class A, class B>
struct Dp4a {  // A, B: u8 or s8
  template <class C>
  static C f(u32 a, u32 b, C c) {
    s64 sum = static_cast<s64>(c);
    for (u32 i = 0; i < 4; ++i)
      sum += static_cast<s64>(static_cast<A>(a >> (8 * i))) * static_cast<B>(b >> (8 * i));
    return static_cast<C>(sum);
  }
};
template <class A, class B, bool High>
struct Dp2a {  // A: u16 or s16, B: u8 or s8
  template <class C>
  static C f(u32 a, u32 b, C c) {
    s64 sum = static_cast<s64>(c);
    for (u32 i = 0; i < 2; ++i) {
      sum += static_cast<s64>(static_cast<A>(a >> (16 * i))) *
             static_cast<B>(b >> (8 * (i + (High ? 2 : 0))));
    }
    return static_cast<C>(sum);
  }
};

template <class A4, class A2, class B, class C>
void add_dots(Registry& r, const char* types) {
  add_ternary<C, u32, u32, C, Dp4a<A4, B>>(r, "dp4a", "", types);
  add_ternary<C, u32, u32, C, Dp2a<A2, B, false>>(r, "dp2a.lo", "", types);
  add_ternary<C, u32, u32, C, Dp2a<A2, B, true>>(r, "dp2a.hi", "", types);
}
template <class T>
void add_find(Registry& r, const char* type) {
  add_unary<u32, T, Bfind<false>>(r, "bfind", "", type);
  add_unary<u32, T, Bfind<true>>(r, "bfind", "shiftamt", type);
  add_ternary<T, T, u32, u32, Bfe>(r, "bfe", "", type);
}

}  // namespace

void register_bits(Registry& r) {
  add_unary<u32, u32, Popc>(r, "popc", "", "b32");
  add_unary<u32, u64, Popc>(r, "popc", "", "b64");
  add_unary<u32, u32, Clz>(r, "clz", "", "b32");
  add_unary<u32, u64, Clz>(r, "clz", "", "b64");
  add_unary<u32, u32, Brev>(r, "brev", "", "b32");
  add_unary<u64, u64, Brev>(r, "brev", "", "b64");
  add_find<u32>(r, "u32");
  add_find<s32>(r, "s32");
  add_find<u64>(r, "u64");
  add_find<s64>(r, "s64");
  r.add("$bfi.b32", bfi<u32>, {4, 4, 4, 4});
  r.add("$bfi.b64", bfi<u64>, {8, 8, 8, 4});
  add_binary<u32, u32, u32, BmskOp<false>>(r, "bmsk", "clamp", "b32");
  add_binary<u32, u32, u32, BmskOp<true>>(r, "bmsk", "wrap", "b32");
  add_binary<u32, u32, u32, Szext<false, false>>(r, "szext", "clamp", "u32");
  add_binary<u32, u32, u32, Szext<false, true>>(r, "szext", "wrap", "u32");
  add_binary<u32, u32, u32, Szext<true, false>>(r, "szext", "clamp", "s32");
  add_binary<u32, u32, u32, Szext<true, true>>(r, "szext", "wrap", "s32");
  add_ternary<u32, u32, u32, s32, Fns>(r, "fns", "", "b32");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::Index>>(r, "prmt", "", "b32");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::F4e>>(r, "prmt", "b32", "f4e");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::B4e>>(r, "prmt", "b32", "b4e");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::Rc8>>(r, "prmt", "b32", "rc8");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::Ecl>>(r, "prmt", "b32", "ecl");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::Ecr>>(r, "prmt", "b32", "ecr");
  add_ternary<u32, u32, u32, u32, Permute<Prmt::Rc16>>(r, "prmt", "b32", "rc16");
  add_dots<u8, u16, u8, u32>(r, "u32.u32");
  add_dots<s8, s16, u8, s32>(r, "s32.u32");
  add_dots<u8, u16, s8, s32>(r, "u32.s32");
  add_dots<s8, s16, s8, s32>(r, "s32.s32");
}

}  // namespace kw::ptxvm::baseline

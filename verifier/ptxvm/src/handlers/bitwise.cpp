// Logic, shifts, moves and selections: bits in, the same number of bits out.

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {
namespace {

struct Mov {
  template <class T>
  static T f(T a) {
    return a;
  }
};
struct Not {
  template <class T>
  static T f(T a) {
    return static_cast<T>(~a);
  }
};
struct CNot {
  template <class T>
  static T f(T a) {
    return static_cast<T>(a == 0 ? 1 : 0);
  }
};
struct And {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};

// Shift amounts above the width act as the width.
template <class T>
constexpr u32 kBits = 8 * sizeof(T);
struct Shl {
  template <class T>
  static T f(T a, u32 b) {
    return b >= kBits<T> ? T{0} : static_cast<T>(a << (b & (kBits<T> - 1)));
  }
};
struct Shr {  // arithmetic for signed T
  template <class T>
  static T f(T a, u32 b) {
    if (static_cast<T>(-1) < 0) return static_cast<T>(a >> (b >= kBits<T> ? kBits<T> - 1 : b));
    return b >= kBits<T> ? T{0} : static_cast<T>(a >> (b & (kBits<T> - 1)));
  }
};
// Funnel shifts of the 64-bit value {b, a}.
template <bool Wrap>
struct ShfL {
  static u32 f(u32 a, u32 b, u32 c) {
    const u32 n = Wrap ? c & 31 : c > 32 ? 32 : c;
    return static_cast<u32>((static_cast<u64>(b) << 32 | a) << n >> 32);
  }
};
template <bool Wrap>
struct ShfR {
  static u32 f(u32 a, u32 b, u32 c) {
    const u32 n = Wrap ? c & 31 : c > 32 ? 32 : c;
    return static_cast<u32>((static_cast<u64>(b) << 32 | a) >> n);
  }
};

template <class T>
const Ins* selp(Warp& w, const Ins* ins) {
  const T* a = reg<const T>(w, ins->a);
  const T* b = reg<const T>(w, ins->b);
  const u32 p = mask_reg(w, ins->c);
  for_lanes(w, reg<T>(w, ins->d), [=](unsigned l) { return (p >> l & 1) != 0 ? a[l] : b[l]; });
  KW_NEXT;
}

template <class T, class C>
struct Slct {
  static T f(T a, T b, C c) { return c >= 0 ? a : b; }
};
template <class T>
struct SlctFtz {
  static T f(T a, T b, float c) { return c > -1.17549435e-38f ? a : b; }
};

// lop3: the truth table as two select levels on each bit.
const Ins* lop3(Warp& w, const Ins* ins) {
  const u32* a = reg<const u32>(w, ins->a);
  const u32* b = reg<const u32>(w, ins->b);
  const u32* c = reg<const u32>(w, ins->c);
  const u32 table = ins->x;
  u32 term[8];
  for (unsigned k = 0; k < 8; ++k) term[k] = (table >> k & 1) != 0 ? ~u32{0} : 0;
  for_lanes(w, reg<u32>(w, ins->d), [=](unsigned l) {
    const u32 x = a[l], y = b[l], z = c[l];
    const u32 low =
        (~y & ((~z & term[0]) | (z & term[1]))) | (y & ((~z & term[2]) | (z & term[3])));
    const u32 high =
        (~y & ((~z & term[4]) | (z & term[5]))) | (y & ((~z & term[6]) | (z & term[7])));
    return (~x & low) | (x & high);
  });
  KW_NEXT;
}

// Register copies that change the width: zero or sign extension, truncation. "$resize" + names.
struct Resize {
  template <class A>
  static A f(A a) {
    return a;
  }
};

// mov between one register and a vector of its parts: d the whole, a, b, c, x the parts. Parts of
// one byte lie in 16-bit registers.
template <class W, class P, unsigned N, unsigned PartBits>
const Ins* pack(Warp& w, const Ins* ins) {
  const u32 locations[4] = {ins->a, ins->b, ins->c, ins->x};
  const P* part[N];
  for (unsigned k = 0; k < N; ++k) part[k] = reg<const P>(w, locations[k]);
  constexpr W kPart = static_cast<W>((u64{1} << PartBits) - 1);
  for_lanes(w, reg<W>(w, ins->d), [=](unsigned l) {
    W whole = 0;
    for (unsigned k = 0; k < N; ++k)
      whole = static_cast<W>(whole | static_cast<W>(static_cast<W>(part[k][l]) & kPart)
                                         << (k * PartBits));
    return whole;
  });
  KW_NEXT;
}
template <class W, class P, unsigned N, unsigned PartBits>
const Ins* unpack(Warp& w, const Ins* ins) {
  const u32 locations[4] = {ins->a, ins->b, ins->c, ins->x};
  const W* whole = reg<const W>(w, ins->d);
  constexpr W kPart = static_cast<W>((u64{1} << PartBits) - 1);
  for (unsigned k = 0; k < N; ++k) {
    for_lanes(w, reg<P>(w, locations[k]),
              [=](unsigned l) { return static_cast<P>(whole[l] >> (k * PartBits) & kPart); });
  }
  KW_NEXT;
}
template <class W, class P, unsigned N, unsigned PartBits>
void add_pack(Registry& r, const char* shape) {
  r.add("$pack", shape, "", pack<W, P, N, PartBits>, {width<W>(), width<P>(), 0, 0});
  r.add("$unpack", shape, "", unpack<W, P, N, PartBits>, {width<W>(), width<P>(), 0, 0});
}

// Predicates are lane masks.
enum class MaskOp { And, Or, Xor, Not, Mov };
template <MaskOp op>
const Ins* mask_op(Warp& w, const Ins* ins) {
  const u32 a = mask_reg(w, ins->a);
  const u32 b = op == MaskOp::Not || op == MaskOp::Mov ? 0 : mask_reg(w, ins->b);
  const u32 r = op == MaskOp::And   ? a & b
                : op == MaskOp::Or  ? a | b
                : op == MaskOp::Xor ? a ^ b
                : op == MaskOp::Not ? ~a
                                    : a;
  u32& d = mask_reg(w, ins->d);
  d = (d & ~w.mask) | (r & w.mask);
  KW_NEXT;
}
const Ins* mask_select(Warp& w, const Ins* ins) {
  const u32 p = mask_reg(w, ins->c);
  const u32 r = (p & mask_reg(w, ins->a)) | (~p & mask_reg(w, ins->b));
  u32& d = mask_reg(w, ins->d);
  d = (d & ~w.mask) | (r & w.mask);
  KW_NEXT;
}

template <class U, class S>
void add_width(Registry& r, const char* b, const char* us, const char* ss, const char* f) {
  const char* const types[] = {b, us, ss, f};
  for (const char* type : types) {
    if (*type == '\0') continue;
    add_unary<U, U, Mov>(r, "mov", "", type);
    r.add("selp", "", type, selp<U>, {width<U>(), width<U>(), width<U>(), 1});
    add_ternary<U, U, U, s32, Slct<U, s32>>(r, "slct", type, "s32");
    add_ternary<U, U, U, float, Slct<U, float>>(r, "slct", type, "f32");
    add_ternary<U, U, U, float, SlctFtz<U>>(r, "slct.ftz", type, "f32");
  }
  add_unary<U, U, Not>(r, "not", "", b);
  add_unary<U, U, CNot>(r, "cnot", "", b);
  add_binary<U, U, U, And>(r, "and", "", b);
  add_binary<U, U, U, Or>(r, "or", "", b);
  add_binary<U, U, U, Xor>(r, "xor", "", b);
  add_binary<U, U, u32, Shl>(r, "shl", "", b);
  add_binary<U, U, u32, Shr>(r, "shr", "", b);
  add_binary<U, U, u32, Shr>(r, "shr", "", us);
  add_binary<S, S, u32, Shr>(r, "shr", "", ss);
}

}  // namespace

void register_bitwise(Registry& r) {
  add_width<u16, s16>(r, "b16", "u16", "s16", "f16");
  add_unary<u16, u16, Mov>(r, "mov", "", "bf16");
  add_width<u32, s32>(r, "b32", "u32", "s32", "f32");
  add_width<u64, s64>(r, "b64", "u64", "s64", "f64");
  add_ternary<u32, u32, u32, u32, ShfL<false>>(r, "shf", "l.clamp", "b32");
  add_ternary<u32, u32, u32, u32, ShfL<true>>(r, "shf", "l.wrap", "b32");
  add_ternary<u32, u32, u32, u32, ShfR<false>>(r, "shf", "r.clamp", "b32");
  add_ternary<u32, u32, u32, u32, ShfR<true>>(r, "shf", "r.wrap", "b32");
  r.add("$lop3", lop3, {4, 4, 4, 4});
  add_unary<u32, u16, Resize>(r, "$resize", "u16", "b32");
  add_unary<u64, u16, Resize>(r, "$resize", "u16", "b64");
  add_unary<u64, u32, Resize>(r, "$resize", "u32", "b64");
  add_unary<s32, s16, Resize>(r, "$resize", "s16", "b32");
  add_unary<s64, s16, Resize>(r, "$resize", "s16", "b64");
  add_unary<s64, s32, Resize>(r, "$resize", "s32", "b64");
  add_unary<u16, u32, Resize>(r, "$resize", "b32", "b16");
  add_unary<u16, u64, Resize>(r, "$resize", "b64", "b16");
  add_unary<u32, u64, Resize>(r, "$resize", "b64", "b32");
  add_pack<u32, u16, 2, 16>(r, "2x16");
  add_pack<u64, u32, 2, 32>(r, "2x32");
  add_pack<u64, u16, 4, 16>(r, "4x16");
  add_pack<u16, u16, 2, 8>(r, "2x8");
  add_pack<u32, u16, 4, 8>(r, "4x8");
  r.add("and.pred", mask_op<MaskOp::And>, {1, 1, 1, 0});
  r.add("or.pred", mask_op<MaskOp::Or>, {1, 1, 1, 0});
  r.add("xor.pred", mask_op<MaskOp::Xor>, {1, 1, 1, 0});
  r.add("not.pred", mask_op<MaskOp::Not>, {1, 1, 0, 0});
  r.add("mov.pred", mask_op<MaskOp::Mov>, {1, 1, 0, 0});
  r.add("selp.pred", mask_select, {1, 1, 1, 1});
}

}  // namespace kw::ptxvm::KW_ISA

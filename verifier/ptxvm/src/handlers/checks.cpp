// What the checks of registers and index arithmetic add to the code (lower/checks.h).

#include <type_traits>

#include "exec/access.h"
#include "handlers/lanes.h"
#include "handlers/shuffle_source.h"

namespace kw::ptxvm::KW_ISA {
namespace {

// a: the lanes that have written the register.
const Ins* use_written(Warp& w, const Ins* ins) {
  const u32 missing = w.mask & ~mask_reg(w, ins->a);
  if (KW_UNLIKELY(missing != 0)) {
    report_unwritten(w, ins, static_cast<unsigned>(__builtin_ctz(missing)));
    mask_reg(w, ins->a) |= w.mask;  // once is enough
  }
  KW_NEXT;
}
const Ins* set_written(Warp& w, const Ins* ins) {
  mask_reg(w, ins->d) |= w.mask;
  KW_NEXT;
}
// d: the result, a, b, c: its sources; x: 1 if one written source is enough, 2 for a plain copy.
const Ins* flow_written(Warp& w, const Ins* ins) {
  const u32 sources[3] = {ins->a, ins->b, ins->c};
  const bool any = ins->x == 1;
  u32 written = any ? 0 : ~0u, origin = 0;
  for (const u32 from : sources) {
    if (from == 0) continue;
    const u32* s = reg<const u32>(w, from);
    written = any ? written | s[0] : written & s[0];
    if ((w.mask & ~s[0]) != 0 && origin == 0) origin = s[1];
  }
  if (origin == 0 && ins->x != 2) origin = ins->source + 1;
  u32* d = reg<u32>(w, ins->d);
  if (KW_UNLIKELY((w.mask & ~written) != 0)) d[1] = origin;
  d[0] = (d[0] & ~w.mask) | (written & w.mask);
  KW_NEXT;
}

// After shfl, d: the result, a: its value's lanes, b, c: shfl's operands, extra: the member masks.
template <Shuffle mode>
const Ins* shuffle_written(Warp& w, const Ins* ins) {
  const u32* members = reg<const u32>(w, w.extra[ins->extra]);
  const u32* by = reg<const u32>(w, ins->b);
  const u32* clamp = reg<const u32>(w, ins->c);
  const u32* value = ins->a == 0 ? nullptr : reg<const u32>(w, ins->a);
  const u32 good = value == nullptr ? ~0u : value[0];
  u32 written = 0, origin = 0;
  for (u32 m = w.mask; m != 0; m &= m - 1) {
    const s32 l = __builtin_ctz(m);
    const u32 from = 1u << shuffle_source<mode>(l, by[l], clamp[l]).lane;
    if ((w.mask & members[l] & from) == 0)
      origin = ins->source + 1;
    else if ((good & from) == 0)
      origin = value[1] != 0 ? value[1] : ins->source + 1;
    else
      written |= 1u << l;
  }
  u32* d = reg<u32>(w, ins->d);
  if (KW_UNLIKELY(origin != 0)) d[1] = origin;
  d[0] = (d[0] & ~w.mask) | written;
  KW_NEXT;
}

struct Add {
  static s64 f(s64 a, s64 b, s64) { return a + b; }
};
struct Sub {
  static s64 f(s64 a, s64 b, s64) { return a - b; }
};
struct Mul {
  static s64 f(s64 a, s64 b, s64) {
    return static_cast<s64>(static_cast<u64>(a) * static_cast<u64>(b));
  }
};
struct Mad {
  static s64 f(s64 a, s64 b, s64 c) {
    return static_cast<s64>(static_cast<u64>(a) * static_cast<u64>(b) + static_cast<u64>(c));
  }
};
struct Shl {
  static s64 f(s64 a, s64 b, s64) {
    return (static_cast<u64>(b) & 0xffffffffu) > 31
               ? 0
               : static_cast<s64>(static_cast<u64>(a) << (b & 31));
  }
};
struct Mov {
  static s64 f(s64 a, s64, s64) { return a; }
};

struct Chain {
  u32* words;  // lanes wrong as signed, lanes wrong as unsigned, source, where the exact values are
  s64* exact_signed;
  s64* exact_unsigned;
};
// What nobody found wrong has no exact values yet.
inline Chain chain_at(Warp& w, u32 location) {
  u32* words = reg<u32>(w, location);
  auto* exact = reg<s64>(w, words[3]);
  return {words, exact, exact + kLanes};
}

template <class Op>
__attribute__((noinline)) void follow_slowly(Warp& w, const Ins* ins) {
  const u32 operands[3] = {ins->a, ins->b, ins->c};
  const u32* exact = w.extra + ins->extra;
  reg<u32>(w, ins->d)[3] = ins->x;
  const Chain d = chain_at(w, ins->d);
  for (u32 m = w.mask; m != 0; m &= m - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(m));
    s64 as_signed[3] = {}, as_unsigned[3] = {};
    u32 value[3] = {};
    u32 source = ins->source;
    for (unsigned k = 0; k < 3; ++k) {
      value[k] = reg<const u32>(w, operands[k])[l];
      as_signed[k] = static_cast<s32>(value[k]);
      // A literal below zero is meant as such.
      as_unsigned[k] = (ins->z >> k & 1) != 0 ? as_signed[k] : static_cast<s64>(value[k]);
      if (exact[k] == 0) continue;
      const Chain from = chain_at(w, exact[k]);
      if ((from.words[0] >> l & 1) != 0) as_signed[k] = from.exact_signed[l];
      if ((from.words[1] >> l & 1) != 0) as_unsigned[k] = from.exact_unsigned[l];
      if (((from.words[0] | from.words[1]) >> l & 1) != 0) source = from.words[2];
    }
    const auto now = static_cast<u32>(Op::f(value[0], value[1], value[2]));
    const s64 s = Op::f(as_signed[0], as_signed[1], as_signed[2]);
    const s64 u = Op::f(as_unsigned[0], as_unsigned[1], as_unsigned[2]);
    const u32 bit = 1u << l;
    d.words[0] = s == static_cast<s32>(now) ? d.words[0] & ~bit : d.words[0] | bit;
    d.words[1] = u == static_cast<s64>(now) ? d.words[1] & ~bit : d.words[1] | bit;
    d.exact_signed[l] = s;
    d.exact_unsigned[l] = u;
    if (((d.words[0] | d.words[1]) & bit) != 0) d.words[2] = source;
  }
}

// Before the instruction itself: d: the result's chain, a, b, c: values, extra: their chains, x:
// where exact values go, z: which values are literals.
template <class Op>
const Ins* follow(Warp& w, const Ins* ins) {
  const u32* exact = w.extra + ins->extra;
  u32 wrong = 0;
  for (unsigned k = 0; k < 3; ++k) {
    if (exact[k] == 0) continue;
    const u32* words = reg<const u32>(w, exact[k]);
    wrong |= words[0] | words[1];
  }
  wrong &= w.mask;
  if (wrong == 0 && !std::is_same_v<Op, Mov>) {
    const s32* a = reg<const s32>(w, ins->a);
    const s32* b = reg<const s32>(w, ins->b);
    const s32* c = reg<const s32>(w, ins->c);
    alignas(64) s32 t[kLanes];
    // Numbers below zero are left to the slow path, which tells signed from unsigned.
    KW_LANES {
      const s64 e = Op::f(a[l], b[l], c[l]);
      t[l] = e != static_cast<s64>(static_cast<s32>(e)) || e < 0 ? -1 : 0;
    }
    wrong = sign_mask(t) & w.mask;
  }
  if (KW_UNLIKELY(wrong != 0)) {
    follow_slowly<Op>(w, ins);
  } else {
    u32* d = reg<u32>(w, ins->d);
    d[0] &= ~w.mask;
    d[1] &= ~w.mask;
  }
  KW_NEXT;
}
// d: a chain or an address that is written by something else.
const Ins* fresh(Warp& w, const Ins* ins) {
  u32* d = reg<u32>(w, ins->d);
  d[0] &= ~w.mask;
  d[1] &= ~w.mask;
  KW_NEXT;
}
const Ins* clear(Warp& w, const Ins* ins) {
  mask_reg(w, ins->d) &= ~w.mask;
  KW_NEXT;
}

inline u32 wrong_of(Warp& w, u32 chain, u32 value, bool is_unsigned) {
  const Chain from = chain_at(w, chain);
  if (!is_unsigned) return from.words[0] & w.mask;
  u32 wrong = 0;
  for (u32 m = from.words[1] & w.mask; m != 0; m &= m - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(m));
    const u32 v = reg<const u32>(w, value)[l];
    const s64 s = (from.words[0] >> l & 1) != 0 ? from.exact_signed[l] : static_cast<s32>(v);
    wrong |= static_cast<u32>(s != static_cast<s64>(v)) << l;
  }
  return wrong;
}

// d: the wide result, a, b: values, c: a wide source, extra: the chains of a and b.
template <bool Unsigned>
const Ins* widen(Warp& w, const Ins* ins) {
  const u32* chains = w.extra + ins->extra;
  const u32 values[2] = {ins->a, ins->b};
  u32* d = reg<u32>(w, ins->d);
  u32 wrong = 0, source = d[2];
  for (unsigned k = 0; k < 2; ++k) {
    if (chains[k] == 0) continue;
    const u32 lanes = wrong_of(w, chains[k], values[k], Unsigned);
    if (lanes != 0) source = reg<const u32>(w, chains[k])[2];
    wrong |= lanes;
  }
  if (ins->c != 0) {
    const u32* c = reg<const u32>(w, ins->c);
    if ((c[0] & w.mask) != 0) source = c[2];
    wrong |= c[0] & w.mask;
  }
  d[0] = (d[0] & ~w.mask) | wrong;
  d[2] = source;
  KW_NEXT;
}
const Ins* flow(Warp& w, const Ins* ins) {
  u32* d = reg<u32>(w, ins->d);
  u32 wrong = 0, source = d[2];
  const u32 sources[3] = {ins->a, ins->b, ins->c};
  for (const u32 from : sources) {
    if (from == 0) continue;
    const u32* s = reg<const u32>(w, from);
    if ((s[0] & w.mask) != 0) source = s[2];
    wrong |= s[0] & w.mask;
  }
  d[0] = (d[0] & ~w.mask) | wrong;
  d[2] = source;
  KW_NEXT;
}
const Ins* use_address(Warp& w, const Ins* ins) {
  const u32* a = reg<const u32>(w, ins->a);
  const u32 wrong = a[0] & w.mask;
  if (KW_UNLIKELY(wrong != 0))
    report_wrapped(w, ins, static_cast<unsigned>(__builtin_ctz(wrong)), a[2]);
  KW_NEXT;
}

}  // namespace

void register_checks(Registry& r) {
  r.add("$written.use", use_written, {});
  r.add("$written.set", set_written, {});
  r.add("$written.flow", flow_written, {});
  r.add("$written.shfl.up", shuffle_written<Shuffle::Up>, {});
  r.add("$written.shfl.down", shuffle_written<Shuffle::Down>, {});
  r.add("$written.shfl.bfly", shuffle_written<Shuffle::Butterfly>, {});
  r.add("$written.shfl.idx", shuffle_written<Shuffle::Index>, {});
  r.add("$index.add", follow<Add>, {});
  r.add("$index.sub", follow<Sub>, {});
  r.add("$index.mul", follow<Mul>, {});
  r.add("$index.mad", follow<Mad>, {});
  r.add("$index.shl", follow<Shl>, {});
  r.add("$index.mov", follow<Mov>, {});
  r.add("$index.fresh", fresh, {});
  r.add("$index.clear", clear, {});
  r.add("$index.widen.s32", widen<false>, {});
  r.add("$index.widen.u32", widen<true>, {});
  r.add("$index.flow", flow, {});
  r.add("$index.use", use_address, {});
}

}  // namespace kw::ptxvm::KW_ISA

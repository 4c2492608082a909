// Operations between the lanes of a warp: votes, match, redux, elect, bar.warp.sync.
// extra[0] is the member mask's location. Lanes may name different masks at once (one per tile);
// each group of equal masks works by itself.

#include "exec/context.h"
#include "exec/operands.h"
#include "handlers/families.h"

namespace kw::ptxvm::baseline {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s32 = std::int32_t;

const u32* members(Warp& w, const Ins* ins) { return operand<u32>(w, w.extra[ins->extra]); }

// True if the split has to wait for lanes that it names; *next is where to go on then. anywhere:
// at this instruction or another of its kind.
bool waits(Warp& w, const Ins* ins, const Ins** next, bool anywhere = false) {
  const u32* m = members(w, ins);
  u32 needed = 0, strangers = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    anywhere &= needed == 0 || m[l] == needed;  // one group
    needed |= m[l];
    strangers |= ~m[l] & 1u << l;
  }
  if (must_wait_for_lanes(w, ins, needed, next, anywhere)) return true;
  if ((strangers & w.mask) != 0) report_not_members(w, ins, strangers & w.mask);
  return false;
}

// body(group): the running lanes that name the same mask.
template <class Body>
void for_groups(Warp& w, const Ins* ins, Body body) {
  const u32* m = members(w, ins);
  for (u32 left = w.mask; left != 0;) {
    const u32 mask = m[__builtin_ctz(left)];
    u32 group = 0;
    for (unsigned l = 0; l < kLanes; ++l) {
      if ((left >> l & 1) != 0 && m[l] == mask) group |= 1u << l;
    }
    left &= ~group;
    body(group);
  }
}

enum class Vote { All, Any, Uniform, Ballot };

// d: a mask, or for ballot a 32-bit result; a: predicate, z: negated.
template <Vote mode>
const Ins* vote(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (waits(w, ins, &next)) return next;
  const u32 p = *operand<u32>(w, ins->a) ^ (ins->z != 0 ? ~0u : 0u);
  for_groups(w, ins, [&](u32 group) {
    const u32 yes = p & group;
    if (mode == Vote::Ballot) {
      u32* d = operand<u32>(w, ins->d);
      for (unsigned l = 0; l < kLanes; ++l) {
        if ((group >> l & 1) != 0) d[l] = yes;
      }
      return;
    }
    const bool result = mode == Vote::All   ? yes == group
                        : mode == Vote::Any ? yes != 0
                                            : yes == group || yes == 0;
    u32& d = *operand<u32>(w, ins->d);
    d = (d & ~group) | (result ? group : 0);
  });
  return ins + 1;
}

const Ins* active_mask(Warp& w, const Ins* ins) {
  u32* d = operand<u32>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) != 0) d[l] = w.mask;
  }
  return ins + 1;
}

// match.any: lanes with the same value. match.all: all of the group if all agree; y the predicate.
template <class T, bool All>
const Ins* match(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (waits(w, ins, &next)) return next;
  const T* a = operand<T>(w, ins->a);
  u32* d = operand<u32>(w, ins->d);
  u32 out[kLanes] = {}, agree = 0;
  for_groups(w, ins, [&](u32 group) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if ((group >> l & 1) == 0) continue;
      u32 same = 0;
      for (unsigned k = 0; k < kLanes; ++k) {
        if ((group >> k & 1) != 0 && a[k] == a[l]) same |= 1u << k;
      }
      out[l] = All && same != group ? 0 : same;
      if (same == group) agree |= 1u << l;
    }
  });
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) != 0) d[l] = out[l];
  }
  if (ins->z != 0) {
    u32& p = *operand<u32>(w, ins->y);
    p = (p & ~w.mask) | (agree & w.mask);
  }
  return ins + 1;
}

struct Add {
  template <class T>
  static T f(T a, T b) {
    return static_cast<T>(static_cast<u32>(a) + static_cast<u32>(b));
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
struct And {
  template <class T>
  static T f(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <class T>
  static T f(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <class T>
  static T f(T a, T b) {
    return a ^ b;
  }
};

template <class T, class Op>
const Ins* redux(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (waits(w, ins, &next)) return next;
  const T* a = operand<T>(w, ins->a);
  T* d = operand<T>(w, ins->d);
  for_groups(w, ins, [&](u32 group) {
    T sum = a[__builtin_ctz(group)];
    for (u32 rest = group & (group - 1); rest != 0; rest &= rest - 1)
      sum = Op::f(sum, a[__builtin_ctz(rest)]);
    for (u32 rest = group; rest != 0; rest &= rest - 1) d[__builtin_ctz(rest)] = sum;
  });
  return ins + 1;
}

// elect.sync d|p: the lowest lane of the group is elected. y: the predicate; d: its number.
const Ins* elect(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (waits(w, ins, &next)) return next;
  u32* d = operand<u32>(w, ins->d);
  u32& p = *operand<u32>(w, ins->y);
  for_groups(w, ins, [&](u32 group) {
    const auto leader = static_cast<u32>(__builtin_ctz(group));
    for (u32 rest = group; rest != 0; rest &= rest - 1) d[__builtin_ctz(rest)] = leader;
    p = (p & ~group) | 1u << leader;
  });
  return ins + 1;
}

const Ins* warp_sync(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (waits(w, ins, &next, true)) return next;
  if (w.races != nullptr)
    for_groups(w, ins, [&](u32 group) { w.block->races->sync_lanes(w, group); });
  return ins + 1;
}

template <class T>
void add_redux(Registry& r, const char* type) {
  r.add("$redux.add", type, "", redux<T, Add>, {4, 4, 0, 0});
  r.add("$redux.min", type, "", redux<T, Min>, {4, 4, 0, 0});
  r.add("$redux.max", type, "", redux<T, Max>, {4, 4, 0, 0});
}

}  // namespace

void register_warp_ops(Registry& r) {
  r.add("$vote.all", vote<Vote::All>, {1, 1, 0, 0});
  r.add("$vote.any", vote<Vote::Any>, {1, 1, 0, 0});
  r.add("$vote.uni", vote<Vote::Uniform>, {1, 1, 0, 0});
  r.add("$vote.ballot", vote<Vote::Ballot>, {4, 1, 0, 0});
  r.add("$activemask", active_mask, {4, 0, 0, 0});
  r.add("$match.any.b32", match<u32, false>, {4, 4, 0, 0});
  r.add("$match.any.b64", match<u64, false>, {4, 8, 0, 0});
  r.add("$match.all.b32", match<u32, true>, {4, 4, 0, 0});
  r.add("$match.all.b64", match<u64, true>, {4, 8, 0, 0});
  add_redux<u32>(r, "u32");
  add_redux<s32>(r, "s32");
  r.add("$redux.and.b32", redux<u32, And>, {4, 4, 0, 0});
  r.add("$redux.or.b32", redux<u32, Or>, {4, 4, 0, 0});
  r.add("$redux.xor.b32", redux<u32, Xor>, {4, 4, 0, 0});
  r.add("$elect", elect, {4, 0, 0, 0});
  r.add("$warpsync", warp_sync, {});
}

}  // namespace kw::ptxvm::baseline

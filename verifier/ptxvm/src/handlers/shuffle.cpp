// shfl.sync.

#include "exec/control.h"
#include "handlers/lanes.h"
#include "handlers/shuffle_source.h"

namespace kw::ptxvm::KW_ISA {
namespace {

// d: result, a: value, b: lane operand, c: clamp and segment mask, extra: member mask; z: 1 if y is
// a predicate result.
template <Shuffle mode>
const Ins* shuffle(Warp& w, const Ins* ins) {
  const u32* members = reg<const u32>(w, w.extra[ins->extra]);
  u32 needed = 0, strangers = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    needed |= (w.mask >> l & 1) != 0 ? members[l] : 0;
    strangers |= ~members[l] & 1u << l;
  }
  const Ins* next = nullptr;
  if ((needed & w.live & ~w.mask) != 0 && must_wait_for_lanes(w, ins, needed, &next)) return next;
  if (KW_UNLIKELY((strangers & w.mask) != 0)) report_not_members(w, ins, strangers & w.mask);
  const u32* a = reg<const u32>(w, ins->a);
  const u32* b = reg<const u32>(w, ins->b);
  const u32* c = reg<const u32>(w, ins->c);
  alignas(64) s32 from[kLanes];
  alignas(64) s32 valid[kLanes];
  alignas(64) u32 out[kLanes];
  for (s32 lane = 0; lane < static_cast<s32>(kLanes); ++lane) {
    const ShuffleSource source = shuffle_source<mode>(lane, b[lane], c[lane]);
    valid[lane] = source.in_range ? -1 : 0;
    from[lane] = source.lane;
  }
  for (unsigned l = 0; l < kLanes; ++l) out[l] = a[from[l]];
  for_lanes(w, reg<u32>(w, ins->d), [&](unsigned l) { return out[l]; });
  if (ins->z != 0) {
    u32& p = mask_reg(w, ins->y);
    p = (p & ~w.mask) | (sign_mask(valid) & w.mask);
  }
  return ins + 1;
}

// The whole warp shuffles by `by` lanes in one segment: out[l] = a[l + by], a[l - by] or a[l ^ by];
// lanes whose source is outside keep their own.
template <Shuffle mode, unsigned by>
const Ins* shuffle_by(Warp& w, const Ins* ins) {
  if (KW_UNLIKELY(w.mask != kFullMask)) return shuffle<mode>(w, ins);
  const u32* a = reg<const u32>(w, ins->a);
  alignas(64) u32 out[kLanes];
  for (unsigned l = 0; l < kLanes; ++l) {
    const unsigned source = mode == Shuffle::Up     ? (l < by ? l : l - by)
                            : mode == Shuffle::Down ? (l + by >= kLanes ? l : l + by)
                                                    : l ^ by;
    out[l] = a[source];
  }
  std::memcpy(reg<u32>(w, ins->d), out, sizeof out);
  if (ins->z != 0) {
    mask_reg(w, ins->y) = mode == Shuffle::Up     ? kFullMask << by
                          : mode == Shuffle::Down ? kFullMask >> by
                                                  : kFullMask;
  }
  KW_NEXT;
}
// All lanes read lane b[0] & 31.
const Ins* broadcast(Warp& w, const Ins* ins) {
  if (KW_UNLIKELY(w.mask != kFullMask)) return shuffle<Shuffle::Index>(w, ins);
  const u32 value = reg<const u32>(w, ins->a)[*reg<const u32>(w, ins->b) & 31];
  u32* d = reg<u32>(w, ins->d);
  KW_LANES { d[l] = value; }
  if (ins->z != 0) mask_reg(w, ins->y) = kFullMask;
  KW_NEXT;
}

template <Shuffle mode>
void add_by(Registry& r, const char* name) {
  r.add(name, "1", "", shuffle_by<mode, 1>, {4, 4, 4, 4});
  r.add(name, "2", "", shuffle_by<mode, 2>, {4, 4, 4, 4});
  r.add(name, "4", "", shuffle_by<mode, 4>, {4, 4, 4, 4});
  r.add(name, "8", "", shuffle_by<mode, 8>, {4, 4, 4, 4});
  r.add(name, "16", "", shuffle_by<mode, 16>, {4, 4, 4, 4});
}

}  // namespace

void register_shuffle(Registry& r) {
  add_by<Shuffle::Up>(r, "$shfl.up");
  add_by<Shuffle::Down>(r, "$shfl.down");
  add_by<Shuffle::Butterfly>(r, "$shfl.bfly");
  r.add("$shfl.idx.same", broadcast, {4, 4, 4, 4});
  r.add("$shfl.up", shuffle<Shuffle::Up>, {4, 4, 4, 4});
  r.add("$shfl.down", shuffle<Shuffle::Down>, {4, 4, 4, 4});
  r.add("$shfl.bfly", shuffle<Shuffle::Butterfly>, {4, 4, 4, 4});
  r.add("$shfl.idx", shuffle<Shuffle::Index>, {4, 4, 4, 4});
}

}  // namespace kw::ptxvm::KW_ISA

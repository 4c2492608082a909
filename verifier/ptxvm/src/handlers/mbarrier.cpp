// Barriers in shared memory (PTX ISA, "mbarrier"). The 64-bit object, opaque to programs, holds the
// arrivals that are missing, those that each phase expects, the bytes that are awaited, and the
// parity of the current phase.

#include "exec/access.h"
#include "exec/control.h"
#include "handlers/lanes.h"

namespace kw::ptxvm::baseline {
namespace {

constexpr u64 kCount = (u64{1} << 20) - 1, kBytes = (u64{1} << 21) - 1;

struct Object {
  u64 pending, expected, bytes, phase;

  static Object of(u64 word) {
    return {word & kCount, word >> 20 & kCount, word >> 40 & kBytes, word >> 63};
  }
  u64 word() const {
    return (pending & kCount) | (expected & kCount) << 20 | (bytes & kBytes) << 40 | phase << 63;
  }
  void complete_if_due() {
    if (pending != 0 || bytes != 0) return;
    phase ^= 1;
    pending = expected;
  }
};

u64 address_of(Warp& w, const Ins* ins, unsigned lane) {
  return AccessBits{ins->y}.address32()
             ? static_cast<u64>(static_cast<u32>(reg<const u32>(w, ins->a)[lane] + ins->imm))
             : reg<const u64>(w, ins->a)[lane] + ins->imm;
}

// body(word, lane) for each lane whose object can be reached.
template <class Body>
void for_objects(Warp& w, const Ins* ins, AccessKind kind, Body body) {
  for (u32 m = w.mask; m != 0; m &= m - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(m));
    std::byte* host =
        checked_bytes(w, ins, l, address_of(w, ins, l), 8, AccessBits{ins->y}.space(), kind);
    if (host == nullptr) continue;
    u64 word;
    std::memcpy(&word, host, sizeof word);
    body(word, l);
    if (kind != AccessKind::Read) std::memcpy(host, &word, sizeof word);
  }
}

const Ins* init(Warp& w, const Ins* ins) {
  const u32* count = reg<const u32>(w, ins->b);
  for_objects(w, ins, AccessKind::Write, [&](u64& word, unsigned l) {
    word = Object{count[l], count[l], 0, 0}.word();
  });
  return ins + 1;
}
const Ins* invalidate(Warp& w, const Ins* ins) {
  for_objects(w, ins, AccessKind::Write, [](u64& word, unsigned) { word = 0; });
  return ins + 1;
}

// z: 1 if there is a result, 2 to expect b bytes and arrive once instead of b times, 4 to leave for
// good. The result is the object before the arrival.
const Ins* arrive(Warp& w, const Ins* ins) {
  const u32* b = reg<const u32>(w, ins->b);
  u64* d = reg<u64>(w, ins->d);
  const bool expects = (ins->z & 2) != 0, leaves = (ins->z & 4) != 0;
  for_objects(w, ins, AccessKind::ReadWrite, [&](u64& word, unsigned l) {
    if ((ins->z & 1) != 0) d[l] = word;
    Object o = Object::of(word);
    const u64 count = expects ? 1 : b[l];
    if (expects) o.bytes += b[l];
    if (leaves) o.expected -= count;
    o.pending -= count;
    o.complete_if_due();
    word = o.word();
  });
  return ins + 1;
}
template <bool Expect>
const Ins* transaction(Warp& w, const Ins* ins) {
  const u32* b = reg<const u32>(w, ins->b);
  for_objects(w, ins, AccessKind::ReadWrite, [&](u64& word, unsigned l) {
    Object o = Object::of(word);
    if (Expect) {
      o.bytes += b[l];
    } else {
      o.bytes -= b[l];
      o.complete_if_due();
    }
    word = o.word();
  });
  return ins + 1;
}

// d: true once the phase of the state in b (or, by parity, of that parity) is over. A warp that has
// to wait gives its turn away.
template <bool ByParity>
const Ins* test(Warp& w, const Ins* ins) {
  u32 done = 0;
  for_objects(w, ins, AccessKind::Read, [&](u64& word, unsigned l) {
    const u64 phase =
        ByParity ? reg<const u32>(w, ins->b)[l] & 1 : reg<const u64>(w, ins->b)[l] >> 63;
    if (word >> 63 != phase) done |= 1u << l;
  });
  u32& d = mask_reg(w, ins->d);
  d = (d & ~w.mask) | done;
  if (done != w.mask && w.fuel > 0) w.fuel = 0;
  return ins + 1;
}

const Ins* pending_count(Warp& w, const Ins* ins) {
  const u64* a = reg<const u64>(w, ins->a);
  for_lanes(w, reg<u32>(w, ins->d), [=](unsigned l) { return static_cast<u32>(a[l] & kCount); });
  return ins + 1;
}

// Arrives once the lane's copies are done: they are finished here. x: 1 if the arrival counts
// against those expected (.noinc); else it adds one and takes it away again.
const Ins* arrive_after_copies(Warp& w, const Ins* ins) {
  finish_copies(w, w.mask);
  for_objects(w, ins, AccessKind::ReadWrite, [&](u64& word, unsigned) {
    Object o = Object::of(word);
    if (ins->x != 0) {
      --o.pending;
      o.complete_if_due();
    }
    word = o.word();
  });
  return ins + 1;
}

}  // namespace

void register_mbarrier(Registry& r) {
  r.add("$mbarrier.init", init, {0, 8, 4, 0});
  r.add("$mbarrier.inval", invalidate, {0, 8, 0, 0});
  r.add("$mbarrier.arrive", arrive, {8, 8, 4, 0});
  r.add("$mbarrier.expect_tx", transaction<true>, {0, 8, 4, 0});
  r.add("$mbarrier.complete_tx", transaction<false>, {0, 8, 4, 0});
  r.add("$mbarrier.test", test<false>, {1, 8, 8, 0});
  r.add("$mbarrier.test.parity", test<true>, {1, 8, 4, 0});
  r.add("$mbarrier.pending_count", pending_count, {4, 8, 0, 0});
  r.add("$cp.async.mbarrier.arrive", arrive_after_copies, {0, 8, 0, 0});
}

}  // namespace kw::ptxvm::baseline

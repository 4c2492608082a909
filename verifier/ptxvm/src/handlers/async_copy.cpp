// cp.async: what waits for copies, and the issue of those that issue_copy.cpp does not see through.
// The bytes move when the kernel waits for them (or ends), not before: a kernel that forgets to
// wait reads the old contents.

#include "handlers/async_copy.h"

#include <algorithm>
#include <cstring>

#include "exec/access.h"
#include "exec/context.h"
#include "exec/control.h"
#include "exec/operands.h"
#include "handlers/families.h"

namespace kw::ptxvm {
namespace {

constexpr auto kGlobal = static_cast<std::uint32_t>(Space::Global);
constexpr auto kShared = static_cast<std::uint32_t>(Space::Shared);

template <std::uint32_t bytes>
void copy_all(const AsyncCopy& copy, std::byte* to, const std::byte* from) {
  for (unsigned l = 0; l < kLanes; ++l)
    std::memcpy(to + copy.to_offset[l], from + copy.from_offset[l], bytes);
}

void carry_out_whole(Warp& w, const AsyncCopy& copy) {
  if (w.track_initialised) {
    for (unsigned l = 0; l < kLanes; ++l)
      std::memset(w.shared.initialised + copy.to_offset[l], 1, copy.bytes);
  }
  if (copy.bytes == 16)
    copy_all<16>(copy, w.shared.host, copy.region->host);
  else if (copy.bytes == 8)
    copy_all<8>(copy, w.shared.host, copy.region->host);
  else
    copy_all<4>(copy, w.shared.host, copy.region->host);
}

// As if its lanes had been looked at one by one when it was issued.
void spell_out(AsyncCopy& copy) {
  for (unsigned l = 0; l < kLanes; ++l) {
    copy.to[l] = copy.to_offset[l];
    copy.from[l] = copy.region->lo + copy.from_offset[l];
    copy.source_bytes[l] = copy.bytes;
  }
  copy.region = nullptr;
}

// Whether both sides of the copies are in order, and recorded.
bool watch_copies(Warp& w, const AsyncCopy& copy, std::uint32_t lanes) {
  if (w.in_flight != nullptr) {  // other copies
    std::uint32_t any = 0;
    for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
      const std::uint64_t at = copy.to[__builtin_ctz(left)];
      if (w.shared.hi < copy.bytes || at > w.shared.hi - copy.bytes) return false;
      for (std::uint64_t g = 0; g < copy.bytes; g += 4) any |= w.in_flight[(at + g) / 4];
    }
    if (any != 0) return false;
  }
  for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
    if (copy.source_bytes[__builtin_ctz(left)] != copy.bytes) return false;
  }
  const Region* from = w.region_cache[copy.ins->cache];
  return from != nullptr &&
         copy.watch.writes(w, copy.ins, w.shared, copy.to, lanes, copy.bytes, true) &&
         copy.watch.reads(w, copy.ins, *from, copy.from, lanes, copy.bytes, true);
}

void carry_out(Warp& w, AsyncCopy& copy, std::uint32_t lanes) {
  if (copy.region != nullptr) {
    if (lanes == kFullMask) return carry_out_whole(w, copy);
    spell_out(copy);
  }
  if (w.block->async.on()) {
    for (std::uint32_t left = lanes; left != 0; left &= left - 1)
      w.block->async.landed(copy.to[__builtin_ctz(left)], copy.bytes);
  }
  const bool watched = w.watched && !watch_copies(w, copy, lanes);
  for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(left));
    std::byte* to = quick_bytes(w, copy.ins, copy.to[l], copy.bytes, kShared, true, false, watched);
    if (to == nullptr) {
      to = checked_bytes(w, copy.ins, l, copy.to[l], copy.bytes, kShared, AccessKind::Write);
      if (to == nullptr) continue;
    } else if (w.track_initialised) {
      std::memset(w.shared.initialised + copy.to[l], 1, copy.bytes);
    }
    const std::uint32_t used = copy.source_bytes[l];
    if (used != 0) {
      // The source is aligned to the whole copy, even where less is taken (PTX ISA, "cp.async").
      const std::byte* from = nullptr;
      if (used == copy.bytes)
        from = quick_bytes(w, copy.ins, copy.from[l], used, kGlobal, false, true, watched);
      if (from == nullptr)
        from = checked_bytes(w, copy.ins, l, copy.from[l], used, kGlobal, AccessKind::Read);
      if (from == nullptr) continue;
      if (w.block->async.on() && fingerprint(from, used) != copy.fingerprint[l])
        w.block->async.source_changed(w, copy.ins, l, copy.from[l], used);
      std::memcpy(to, from, used);
    }
    if (used != copy.bytes) std::memset(to + used, 0, copy.bytes - used);
  }
}

// Copies of `lanes` whose group is among the oldest: all but the newest `keep` groups of each lane.
void complete(Warp& w, std::uint32_t lanes, std::uint32_t keep, bool uncommitted_too) {
  const auto old = [&](const AsyncCopy& copy, std::uint32_t committed) {
    return copy.group < committed && committed - copy.group > keep;
  };
  const std::uint32_t* const groups = w.control->committed;
  const bool alike = w.control->committed_alike;
  w.control->copies.remove_if([&](AsyncCopy& copy) {
    std::uint32_t due = copy.mask & lanes;
    if (!uncommitted_too && alike) {
      if (!old(copy, groups[0])) due = 0;
    } else if (!uncommitted_too) {
      for (unsigned l = 0; l < kLanes; ++l) {
        if (!old(copy, groups[l])) due &= ~(1u << l);
      }
    }
    if (due != 0) carry_out(w, copy, due);
    copy.mask &= ~due;
    return copy.mask == 0;
  });
}

// What the checks have to know when a copy is issued.
void watch(Warp& w, const Ins* ins, AsyncCopy& copy) {
  // The copy may write at any time from now on; its write is recorded when it is waited for.
  const bool in_order =
      copy.watch.writes(w, ins, w.shared, copy.to, w.mask, copy.bytes, /*record=*/false);
  for (std::uint32_t left = w.mask; left != 0; left &= left - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(left));
    if (w.block->async.on()) {
      w.block->async.issued(w, ins, l, copy.to[l], copy.bytes);
      const std::uint32_t used = copy.source_bytes[l];
      const Region* from = used == 0 ? nullptr : find_region(w, ins, copy.from[l]);
      copy.fingerprint[l] = from == nullptr || from->hi - copy.from[l] < used
                                ? 0
                                : fingerprint(from->host + (copy.from[l] - from->lo), used);
    }
    if (!in_order && w.races != nullptr && copy.to[l] <= w.shared.hi &&
        w.shared.hi - copy.to[l] >= copy.bytes) {
      w.block->races->note(w, {ins, l, Space::Shared, &w.shared, copy.to[l], copy.bytes,
                               AccessKind::Write, nullptr, false});
    }
  }
}

}  // namespace

void finish_copies(Warp& w, std::uint32_t lanes) {
  if (w.control->copies.empty()) return;
  // Nobody waited for these: whoever touched them has been reported, and when they arrive is
  // unknown.
  const WarpRaces* const races = w.races;
  if (w.block->async.on()) w.races = nullptr;
  complete(w, lanes, 0, true);
  w.races = races;
}

AsyncCopy& add_copy(Warp& w) { return w.control->copies.add(); }

void issue_copy(Warp& w, const Ins* ins, CopyWatch watch_by) {
  const AccessBits access{ins->y};
  const bool narrow = (ins->z & CopyBits::kNarrow) != 0;
  AsyncCopy copy;
  copy.bytes = access.bytes();
  copy.ins = ins;
  copy.watch = watch_by;
  copy.region = nullptr;
  const auto to_offset = static_cast<std::uint64_t>(static_cast<std::int32_t>(ins->imm));
  const auto from_offset = static_cast<std::uint64_t>(static_cast<std::int32_t>(ins->imm >> 32));
  std::uint32_t ignored = 0;
  if ((ins->z & CopyBits::kIgnored) != 0) ignored = *operand<std::uint32_t>(w, ins->c);
  const std::uint64_t* const from = operand<std::uint64_t>(w, ins->b);
  for (unsigned l = 0; l < kLanes; ++l) copy.from[l] = from[l] + from_offset;
  if (narrow) {
    const std::uint32_t* const to = operand<std::uint32_t>(w, ins->a);
    for (unsigned l = 0; l < kLanes; ++l)
      copy.to[l] = to[l] + static_cast<std::uint32_t>(to_offset);
  } else {
    const std::uint64_t* const to = operand<std::uint64_t>(w, ins->a);
    for (unsigned l = 0; l < kLanes; ++l) copy.to[l] = to[l] + to_offset;
  }
  for (unsigned l = 0; l < kLanes; ++l) {
    copy.source_bytes[l] =
        (ins->z & CopyBits::kSized) != 0 ? operand<std::uint32_t>(w, ins->c)[l] : copy.bytes;
    if (copy.source_bytes[l] > copy.bytes) copy.source_bytes[l] = copy.bytes;
    if ((ignored >> l & 1) != 0) copy.source_bytes[l] = 0;
  }
  if (w.count_memory) {
    std::memcpy(w.address, copy.from, sizeof w.address);
    count_access(w, ins);
  }
  if (w.watched) watch(w, ins, copy);
  // Lanes that committed different numbers of groups go into different entries.
  for (std::uint32_t left = w.mask; left != 0;) {
    copy.group = w.control->committed[__builtin_ctz(left)];
    std::uint32_t same = 0;
    for (unsigned l = 0; l < kLanes; ++l)
      same |= static_cast<std::uint32_t>(w.control->committed[l] == copy.group) << l;
    copy.mask = left & same;
    left &= ~copy.mask;
    add_copy(w) = copy;
  }
}

namespace baseline {
namespace {

const Ins* commit(Warp& w, const Ins* ins) {
  WarpControl& control = *w.control;
  control.has_committed = true;
  std::uint32_t differ = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    control.committed[l] += w.mask >> l & 1;
    differ |= control.committed[l] ^ control.committed[0];
  }
  control.committed_alike = differ == 0;
  return ins + 1;
}

// imm: how many of the newest groups may stay pending.
const Ins* wait_group(Warp& w, const Ins* ins) {
  complete(w, w.mask, static_cast<std::uint32_t>(ins->imm), false);
  return ins + 1;
}
const Ins* wait_all(Warp& w, const Ins* ins) {
  complete(w, w.mask, 0, true);
  return ins + 1;
}

}  // namespace

void register_async_copy(Registry& r) {
  r.add("$cp.commit", commit, {});
  r.add("$cp.wait_group", wait_group, {});
  r.add("$cp.wait_all", wait_all, {});
}

}  // namespace baseline
}  // namespace kw::ptxvm

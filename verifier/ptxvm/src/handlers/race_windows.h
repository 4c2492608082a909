#pragma once
// The common cases of the race checks: a warp's access is held against the chunks and rows that it
// touches (exec/shadow.h), eight granules at a time. What is not plainly in order is left to
// note_lanes() (exec/races.h).

#include "exec/touch.h"
#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

typedef u32 Row32 __attribute__((vector_size(32), may_alias));
typedef u8 Row8 __attribute__((vector_size(8), may_alias));

/// What is in order with an access that one warp makes now.
struct RaceClock {
  Stamp launch_lo, block_lo, ordered, now, own_known, dead;
  u32 me;  // warp and instruction
  bool block_sync;

  bool fresh(Stamp t) const { return t >= launch_lo && t - block_lo > ordered; }
  bool foreign(Stamp t) const { return t - block_lo > now - block_lo; }
  bool none_fresh(const Chunk::Range& r) const {
    return r.hi < launch_lo || (r.lo >= block_lo && r.hi - block_lo <= ordered);
  }
  Row32 fresh(Row32 t) const {
    return reinterpret_cast<Row32>(t >= launch_lo) &
           reinterpret_cast<Row32>(t - block_lo > ordered);
  }
  Row32 foreign(Row32 t) const { return reinterpret_cast<Row32>(t - block_lo > now - block_lo); }
  // An access at t by `who` in another slot is in order with one by `lane` of this warp.
  Row32 in_order(Row32 t, Row32 who, Row32 lane) const {
    const Row32 difference = (who ^ me ^ lane) & Who::kThreadMask;
    const Row32 same = reinterpret_cast<Row32>(difference == 0);
    const Row32 synced = reinterpret_cast<Row32>((difference & Who::kWarpMask) == 0) &
                         reinterpret_cast<Row32>(t <= own_known);
    return ~fresh(t) | (~foreign(t) & (same | synced));
  }
};

inline RaceClock race_clock(const WarpRaces& k, bool shared, u32 site) {
  const Freshness& f = shared ? k.shared : k.global;
  return {f.launch_lo,
          f.block_lo,
          f.ordered,
          *k.now,
          k.own_known,
          shared ? *k.shared_dead : f.launch_lo,
          k.who | site << Who::kSiteShift,
          k.block_sync && !shared};
}

inline bool any(const Row32& x) {
#if defined(__AVX__)
  const auto v = reinterpret_cast<__m256i>(x);
  return _mm256_testz_si256(v, v) == 0;
#else
  u64 q[4];
  std::memcpy(q, &x, sizeof q);
  return (q[0] | q[1] | q[2] | q[3]) != 0;
#endif
}

// How a compact slot stands to an access that covers the chunk.
enum class Order : u8 { Yes, No, ByLane };

inline Order order_of(const RaceClock& k, const Chunk::Record& r, LaneMap theirs, LaneMap ours) {
  if (!k.fresh(r.t)) return Order::Yes;
  if (k.foreign(r.t) || ((r.who ^ k.me) & Who::kWarpMask) != 0) return Order::No;
  if (r.t <= k.own_known || theirs == ours) return Order::Yes;
  return Order::ByLane;
}

template <bool store>
inline Order check_compact(const RaceClock& k, const Chunk& c, const Touch::Part& p) {
  const auto worst = [](Order a, Order b) { return a > b ? a : b; };
  const auto& slots = c.compact;
  Order order = order_of(k, slots.write, c.write_map, p.low);
  if (store) {
    order = worst(order, order_of(k, slots.read, c.read_map, p.low));
    return worst(order, order_of(k, slots.read2, c.read2_map, p.low));
  }
  if (!(p.low == p.high)) order = worst(order, order_of(k, slots.write, c.write_map, p.high));
  if (!k.fresh(slots.read.t)) return order;
  // Whether this read follows the last one decides where it is kept.
  if (k.block_sync && k.foreign(slots.read.t)) return Order::No;
  if (order_of(k, slots.read, c.read_map, p.low) == Order::ByLane) return Order::ByLane;
  return order;
}

inline void keep_compact_read(const RaceClock& k, Chunk& c, const Touch::Part& p) {
  auto& slots = c.compact;
  const bool shared = !(p.low == p.high);
  const bool replace = order_of(k, slots.read, c.read_map, p.low) == Order::Yes;
  const bool distant = k.foreign(slots.read.t) || ((slots.read.who ^ k.me) & Who::kWarpMask) != 0;
  const bool final2 = k.fresh(slots.read2.t) && (slots.read2.t & 1) != 0;
  if (!final2 && (shared || !replace)) {
    slots.read2 = {k.now | static_cast<u32>(!replace && distant), k.me};
    c.read2_map = p.high;
  }
  if (!replace) return;
  slots.read = {k.now, k.me};
  c.read_map = p.low;
}

struct RowLanes {
  Row32 low, high, here;
};
inline RowLanes row_lanes(const Touch::Lanes& of) {
  Row8 low, high;
  std::memcpy(&low, of.low, sizeof low);
  std::memcpy(&high, of.high, sizeof high);
  RowLanes r;
  r.low = __builtin_convertvector(low, Row32);
  r.high = __builtin_convertvector(high, Row32);
  r.here = reinterpret_cast<Row32>(r.low != u32{Touch::kNobody});
  return r;
}
inline Row32 load_row(const u32* from) { return *reinterpret_cast<const Row32*>(from); }
inline void store_row(u32* to, Row32 value) { *reinterpret_cast<Row32*>(to) = value; }
inline void store_row(u32* to, Row32 where, Row32 value) {
  store_row(to, (where & value) | (~where & load_row(to)));
}
inline void store_slot(RowSlots& s, Row32 where, Row32 t, Row32 who) {
  store_row(s.t, where, t);
  store_row(s.who, where, who);
}

/// Whether all slots that matter are in order with the access.
template <bool store>
inline bool check_rows(const RaceClock& k, const Shadow& s, std::size_t chunk, const Touch& touch,
                       const Touch::Part& p) {
  const Chunk& c = s.chunks[chunk];
  const bool writes = !k.none_fresh(c.spread.writes), reads = !k.none_fresh(c.spread.reads);
  if (!writes && !(reads && (store || k.block_sync))) return true;
  Row32 bad{};
  for (unsigned i = 0; i < p.rows; ++i) {
    const std::size_t at = chunk * kChunkRows + p.row[i];
    const Row& row = s.rows[at];
    const RowLanes lanes = row_lanes(p.lanes[i]);
    const auto check = [&](const RowSlots& slot) {
      const Row32 t = load_row(slot.t), who = load_row(slot.who);
      Row32 good = k.in_order(t, who, lanes.low);
      if (!store && touch.shared) good &= k.in_order(t, who, lanes.high);
      bad |= lanes.here & ~good;
    };
    if (writes) {
      check(row.write);
      if (s.has_strong) {
        check(s.strong_rows[at].write2);
        check(s.strong_rows[at].write3);
      }
    }
    if (!reads) continue;
    if (store) {
      check(row.read);
      check(row.read2);
    } else if (k.block_sync) {  // it may be ordered with what another block read
      const Row32 t = load_row(row.read.t);
      bad |= lanes.here & k.fresh(t) & k.foreign(t);
    }
  }
  return !any(bad);
}

inline void widen(const RaceClock& k, Chunk::Range& r) {
  const Stamp last = k.now | 1u;
  if (r.hi < k.launch_lo || r.lo > k.now) r.lo = k.now;
  if (r.hi < last) r.hi = last;
}

template <bool store>
inline void keep_rows(const RaceClock& k, Shadow& s, std::size_t chunk, const Touch& touch,
                      const Touch::Part& p) {
  Chunk& c = s.chunks[chunk];
  const bool any_fresh = !store && !k.none_fresh(c.spread.reads);
  widen(k, store ? c.spread.writes : c.spread.reads);
  const Row32 now = Row32{} + k.now;
  for (unsigned i = 0; i < p.rows; ++i) {
    Row& row = s.rows[chunk * kChunkRows + p.row[i]];
    const RowLanes lanes = row_lanes(p.lanes[i]);
    if (store) {
      store_slot(row.write, lanes.here, now, lanes.low | k.me);
      continue;
    }
    Row32 replace = lanes.here, tag{}, second{};
    if (any_fresh) {
      const Row32 t = load_row(row.read.t), who = load_row(row.read.who);
      replace &= k.in_order(t, who, lanes.low);
      tag = ~replace &
            (k.foreign(t) | reinterpret_cast<Row32>(((who ^ k.me) & Who::kWarpMask) != 0)) & 1u;
      second = lanes.here & ~replace;
    }
    if (touch.shared) second |= lanes.here & reinterpret_cast<Row32>(lanes.low != lanes.high);
    if (any_fresh || touch.shared) {
      const Row32 t2 = load_row(row.read2.t);
      second &= ~(k.fresh(t2) & reinterpret_cast<Row32>((t2 & 1u) != 0));
      store_slot(row.read2, second, now | tag, lanes.high | k.me);
    }
    store_slot(row.read, replace, now, lanes.low | k.me);
  }
}

/// Holds the access against the record from chunk `first` on, and adds it if it is to be recorded.
/// False: nothing was added, the slow path must look.
template <bool store>
inline bool watch_touch(const RaceClock& k, Shadow& s, std::size_t first, const Touch& touch,
                        bool record = true) {
  if (touch.parts == 0 || (store && touch.shared)) return false;
  for (unsigned i = 0; i < touch.parts; ++i) {
    const Touch::Part& p = touch.part[i];
    const std::size_t chunk = first + p.chunk;
    Chunk& c = s.chunks[chunk];
    if (p.linear && c.is_spread && c.spread.writes.hi < k.dead && c.spread.reads.hi < k.dead)
      c = Chunk{};
    if (p.linear && !c.is_spread) {
      const Order order = check_compact<store>(k, c, p);
      if (KW_UNLIKELY(order == Order::No)) return false;
      if (order == Order::Yes) continue;
    }
    if (!c.is_spread) spread(s, chunk, k.dead);
    if (KW_UNLIKELY(!check_rows<store>(k, s, chunk, touch, p))) return false;
  }
  if (!record) return true;
  for (unsigned i = 0; i < touch.parts; ++i) {
    const Touch::Part& p = touch.part[i];
    const std::size_t chunk = first + p.chunk;
    Chunk& c = s.chunks[chunk];
    if (c.is_spread) {
      keep_rows<store>(k, s, chunk, touch, p);
    } else if (store) {
      c.compact.write = {k.now, k.me};
      c.write_map = p.low;
    } else {
      keep_compact_read(k, c, p);
    }
  }
  return true;
}

/// The same where all lanes touch 2 to the power of `log2` granules, one lane after the other.
inline const Touch& contiguous_touch(const WarpRaces& k, unsigned log2, u64 granule) {
  const auto first = static_cast<u32>(granule % kChunkGranules);
  const Touch* known = k.patterns->contiguous[log2 * kChunkGranules + first];
  return known != nullptr ? *known : k.patterns->add_contiguous(log2, first);
}

/// The shape of an access of `bytes` per lane, of which `lowest` is the lowest address.
template <class T>
inline const Touch& find_touch(const WarpRaces& k, const Ins* ins, u32 mask, const T* address,
                               u64 lowest, u64 base, unsigned bytes, unsigned shift, bool shared) {
  const u64 granule = (lowest - base) >> shift;
  const auto begin = static_cast<T>(base + ((granule & ~u64{kChunkGranules - 1}) << shift));
  const std::size_t index = (std::size_t{ins->cache} * 2 + (shared ? 1 : 0)) * kChunkGranules +
                            static_cast<std::size_t>(granule % kChunkGranules);
  alignas(64) u32 offset[kLanes];
  KW_LANES {
    offset[l] = (mask >> l & 1) != 0 ? static_cast<u32>(address[l] - begin) : Touch::kIdle;
  }
  const Touch* known = k.patterns->known[index];
  if (KW_LIKELY(known != nullptr)) {
    u32 different = known->sizes ^ (bytes << 8 | shift);
    KW_LANES { different |= offset[l] ^ known->offset[l]; }
    if (KW_LIKELY(different == 0)) return *known;
  }
  return k.patterns->find(index, offset, bytes, shift);
}

/// Same for single accesses of `bytes` by the lanes of `mask`. True only if they also lie in the
/// region, aligned.
template <bool store>
inline bool watch_lanes(Warp& w, const Ins* ins, const Region& r, const u64* address, u32 mask,
                        unsigned bytes, bool record = true) {
  u64 lo = ~u64{0}, hi = 0, bits = 0;
  for (u32 m = mask; m != 0; m &= m - 1) {
    const u64 at = address[__builtin_ctz(m)];
    lo = at < lo ? at : lo;
    hi = at > hi ? at : hi;
    bits |= at;
  }
  const u64 size = r.hi - r.lo;
  if (mask == 0 || size < bytes || lo < r.lo || hi - r.lo > size - bytes ||
      (bits & (bytes - 1)) != 0)
    return false;
  if (w.races == nullptr) return true;
  const WarpRaces& k = *w.races;
  const bool shared = &r == &w.shared;
  Shadow& shadow = shared ? *k.shared_shadow : k.global_shadows[&r - w.regions];
  if (shadow.chunks == nullptr || hi - lo > u64{1} << 31) return false;
  const unsigned shift = shared ? k.shared_shift : k.global_shift;
  const Touch& touch = find_touch(k, ins, mask, address, lo, r.lo, bytes, shift, shared);
  return watch_touch<store>(race_clock(k, shared, ins->source), shadow,
                            static_cast<std::size_t>(((lo - r.lo) >> shift) / kChunkGranules),
                            touch, record);
}

}  // namespace kw::ptxvm::KW_ISA

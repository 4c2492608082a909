#pragma once
// The race checks' record of who touched what last. Plain data, read by handlers.
//
// Memory is divided into granules as large as the smallest access of the kernel to its space. A
// granule has five slots, each a stamp (exec/order.h) and who it was: the last plain write, two
// strong writes and two reads. The two are accesses that nothing orders with each other: that
// suffices to know that some one conflicts with an access by anybody. The second is preferably of
// another warp than the first, and then carries an odd stamp.
//
// Most accesses cover whole chunks of 32 granules, lane after lane. As long as nothing else touches
// a chunk, its slots are kept once for all granules ("compact"); then they are spread out.

#include <cstddef>
#include <cstdint>

#include "exec/order.h"

namespace kw::ptxvm {

/// Who: lane, warp, number of the instruction (index into LoweredKernel::sources), kind of access.
struct Who {
  static constexpr std::uint32_t kLaneMask = 31u, kWarpShift = 5, kWarpMask = 31u << 5,
                                 kThreadMask = 1023u, kSiteShift = 10, kSites = 1u << 20,
                                 kStrong = 1u << 30, kVolatile = 1u << 31;
};

inline constexpr unsigned kRowGranules = 8, kChunkRows = 4,
                          kChunkGranules = kRowGranules * kChunkRows;

/// One slot of eight granules.
struct alignas(64) RowSlots {
  Stamp t[kRowGranules];
  std::uint32_t who[kRowGranules];
};
struct Row {
  RowSlots write, read, read2;
};
struct StrongRow {
  RowSlots write2, write3;
};

/// Granule i of a chunk is lane base + (i >> shift)'s.
struct LaneMap {
  std::uint8_t base = 0, shift = 0;
  __attribute__((always_inline)) bool operator==(LaneMap o) const {
    return base == o.base && shift == o.shift;
  }
};

struct Chunk {
  struct Record {
    Stamp t;
    std::uint32_t who;  // without a lane
  };
  struct Compact {
    Record write, read, read2;
  };
  /// Stamps in the rows, over all slots of a kind: none is outside.
  struct Range {
    Stamp lo, hi;
  };
  struct Spread {
    Range writes, reads;
  };
  union {
    Compact compact;
    Spread spread;
  };
  LaneMap write_map, read_map, read2_map;  // of the compact slots
  bool is_spread;
};
static_assert(sizeof(Chunk) == 32);

struct Shadow {
  Chunk* chunks = nullptr;  // nullptr: not there yet
  Row* rows = nullptr;
  StrongRow* strong_rows = nullptr;
  std::uint64_t granules = 0;
  bool has_strong = false;  // some slot of a strong write was filled
};

/// Spreads a chunk's slots out to its rows. Stamps below `dead` mean nothing to anybody.
void spread(Shadow& shadow, std::size_t chunk, Stamp dead);

/// Tells stamps that matter from others: fresh ones are of accesses that the running lanes may race
/// with. Shared memory is the block's own: launch_lo and block_lo are 0 there.
struct Freshness {
  Stamp launch_lo = 0;  // smaller stamps are of earlier launches
  Stamp block_lo = 0;   // the block's stamps begin here
  Stamp ordered = 1;    // odd: how far from block_lo on all accesses of the block are ordered

  bool fresh(Stamp t) const noexcept { return t >= launch_lo && t - block_lo > ordered; }
};

class TouchPatterns;

/// One warp's part of the race checks, as the fast paths need it.
struct WarpRaces {
  Freshness shared, global;
  std::uint32_t shared_shift = 2, global_shift = 2;  // log2 of the granule
  const Stamp* now = nullptr;                        // the block's
  const Stamp* shared_dead = nullptr;                // smaller stamps are fresh for no warp
  Stamp own_known = 0;      // accesses of this warp up to here are ordered before all its lanes'
  std::uint32_t who = 0;    // the warp's number in place
  bool block_sync = false;  // blocks may synchronise: what another block did may be ordered
  Shadow* shared_shadow = nullptr;
  Shadow* global_shadows = nullptr;  // by region
  TouchPatterns* patterns = nullptr;
};

}  // namespace kw::ptxvm

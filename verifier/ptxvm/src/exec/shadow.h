#pragma once
// The race checks' record of who touched what last. Plain data, read by handlers.
//
// Memory is divided into granules as large as the smallest access of the kernel to its space. A
// granule has five slots, each a stamp (exec/order.h) and who it was: the last plain write, two
// strong writes and two reads. The two are accesses that nothing orders with each other: that
// suffices to know that some one conflicts with an access by anybody. The second is preferably of
// another warp than the first, and then carries an odd stamp.

#include <cstdint>

#include "exec/order.h"

namespace kw::ptxvm {

/// Who: lane, warp, number of the instruction (index into LoweredKernel::sources), kind of access.
struct Who {
  static constexpr std::uint32_t kLaneMask = 31u, kWarpShift = 5, kWarpMask = 31u << 5,
                                 kThreadMask = 1023u, kSiteShift = 10, kSites = 1u << 20,
                                 kStrong = 1u << 30, kVolatile = 1u << 31;
};

struct Shadow {
  Stamp *write = nullptr, *write2 = nullptr, *write3 = nullptr, *read = nullptr, *read2 = nullptr;
  std::uint32_t *writer = nullptr, *writer2 = nullptr, *writer3 = nullptr, *reader = nullptr,
                *reader2 = nullptr;
  std::uint64_t granules = 0;
  // Whether any slot of that kind was ever filled.
  bool has_write = false, has_strong = false, has_read = false, has_read2 = false;
};

/// Tells stamps that matter from others: fresh ones are of accesses that the running lanes may race
/// with. Shared memory is the block's own: launch_lo and block_lo are 0 there.
struct Freshness {
  Stamp launch_lo = 0;  // smaller stamps are of earlier launches
  Stamp block_lo = 0;   // the block's stamps begin here
  Stamp ordered = 1;    // odd: how far from block_lo on all accesses of the block are ordered

  bool fresh(Stamp t) const noexcept { return t >= launch_lo && t - block_lo > ordered; }
};

/// One warp's part of the race checks, as the fast paths need it.
struct WarpRaces {
  Freshness shared, global;
  std::uint32_t shared_shift = 2, global_shift = 2;  // log2 of the granule
  const Stamp* now = nullptr;                        // the block's
  Stamp own_known = 0;      // accesses of this warp up to here are ordered before all its lanes'
  std::uint32_t who = 0;    // the warp's number in place
  bool block_sync = false;  // blocks may synchronise: what another block did may be ordered
  Shadow* shared_shadow = nullptr;
  Shadow* global_shadows = nullptr;  // by region
};

}  // namespace kw::ptxvm

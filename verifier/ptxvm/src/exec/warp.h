#pragma once
// The state of one warp, as handlers see it. Plain data; the control logic is in control.cpp.

#include <cstddef>
#include <cstdint>

#include "exec/code.h"

namespace kw::ptxvm {

inline constexpr unsigned kLanes = 32;
inline constexpr std::uint32_t kFullMask = 0xffffffffu;

/// Generic addresses of the windows that are not global memory; each is 4 GiB.
inline constexpr std::uint64_t kLocalWindow = 0x0000'5000'0000'0000;
inline constexpr std::uint64_t kSharedWindow = 0x0000'5100'0000'0000;
inline constexpr std::uint64_t kParameterWindow = 0x0000'5200'0000'0000;
inline constexpr std::uint64_t kWindowBytes = std::uint64_t{1} << 32;

/// A stretch of memory that accesses are checked against: [lo, hi) in its space.
struct Region {
  std::uint64_t lo = 0, hi = 0;
  std::byte* host = nullptr;            // of address lo
  std::uint8_t* initialised = nullptr;  // one byte per byte
  const void* allocation = nullptr;     // kw::ptxvm::Allocation, global memory only
  bool read_only = false;
  bool complete =
      false;  // every byte was initialised when the launch began: nothing to check or mark
};

/// Lanes that run together. A warp has one running split; others wait in Block-owned lists.
struct Split {
  const Ins* resume;
  std::uint32_t mask;
  std::int32_t join;  // index of the join where it reconverges, -1: none
};

struct BlockCount {
  std::uint64_t warps, lanes;
};

enum class Stop : std::uint8_t { None, Blocked, OutOfFuel, Fatal };

struct Block;
struct WarpControl;
struct WarpRaces;

struct alignas(64) Warp {
  char* base[2];  // registers; constant pool less one byte
  std::uint32_t mask;
  std::uint32_t unguarded_mask;  // mask to return to after a guarded instruction
  std::int32_t join;
  std::int32_t join_block;      // block of that join, -1: none
  std::int64_t fuel;            // instructions left in this turn
  BlockCount* counts;           // by basic block
  const Region** region_cache;  // by Ins::cache
  const Region* regions;        // global memory, sorted by address
  std::uint32_t region_count;
  bool track_initialised;
  bool count_memory;
  bool exact_matrix;
  bool watched;  // accesses are checked for more than bounds and initialisation: no short cuts
  bool reverse_lanes;
  bool plain_access;  // none of count_memory, watched and reverse_lanes
  Stop stop;
  Region shared;
  const Ins* code;
  const std::uint32_t* block_start;  // instruction index of each basic block
  const std::uint32_t* extra;
  const std::byte* parameters;
  std::uint32_t parameter_bytes;
  std::byte* local;  // of lane 0; lane l is l * local_stride further on
  std::uint8_t* local_initialised;
  std::uint32_t local_bytes, local_stride;
  std::uint32_t live;   // lanes that have not ended
  std::uint32_t carry;  // the condition code register, one bit per lane
  std::uint32_t index;  // in the block
  Block* block;
  const WarpRaces* races;          // nullptr: not checked
  const std::uint32_t* in_flight;  // exec/async_watch.h; nullptr: nothing is
  WarpControl* control;
  const Ins* resume;  // where the running split goes on after a stop
  const Ins* force;   // a .sync instruction that no longer waits for its lanes
  alignas(64) std::uint64_t address[kLanes];  // of the memory instruction being run
  alignas(64) std::uint32_t tid[3][kLanes];
};

}  // namespace kw::ptxvm

#pragma once
// Which lanes touch which granules in one access of a warp. Most instructions touch the same shape
// every time they run, only elsewhere: shapes are found once and remembered by instruction.

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/shadow.h"
#include "exec/warp.h"

namespace kw::ptxvm {

/// A shape, relative to the chunk that holds the access's lowest byte.
struct Touch {
  static constexpr unsigned kRows = 68;
  static constexpr std::uint8_t kNobody = 0xff;
  static constexpr std::uint32_t kIdle = 0xffffffff;  // offset of a lane that takes no part

  struct Part {               // in one chunk
    std::uint32_t chunk;      // from the first one on
    std::uint8_t first, end;  // rows
    bool linear;              // every granule, as the two maps say
    LaneMap low, high;
  };

  alignas(64) std::uint32_t offset[kLanes];  // bytes from the chunk's begin
  std::uint32_t parts = 0;
  bool shared = false;  // some granule is touched by several lanes
  alignas(32) std::uint8_t row_in_chunk[kRows];
  alignas(32) std::uint8_t low[kRows][kRowGranules];  // the lowest and the highest lane, or kNobody
  alignas(32) std::uint8_t high[kRows][kRowGranules];
  Part part[kRows];

  /// From `offset`; each lane touches `bytes`. No parts: too many rows for one shape.
  void find(std::uint32_t bytes, std::uint32_t shift);
};

/// One host thread's shapes. Handlers read the tables; nullptr: not known yet.
class TouchPatterns {
 public:
  // By where in a chunk the access begins, and by whether it is one to shared memory (cp.async makes
  // two).
  static constexpr unsigned kWays = 2 * kChunkGranules;

  explicit TouchPatterns(std::size_t instructions);

  /// What an instruction touched last; the offsets say whether it does so again.
  Touch& add_known(std::size_t index);
  /// All lanes, one after the other, 2 to the power of `log2` granules each.
  Touch& add_contiguous(unsigned log2, std::uint32_t first_granule);

  Touch** known = nullptr;       // [Ins::cache][kWays]
  Touch** contiguous = nullptr;  // [6][kChunkGranules]

 private:
  Touch* make();

  std::vector<Touch*> tables_;
  std::vector<std::unique_ptr<Touch>> touches_;
};

}  // namespace kw::ptxvm

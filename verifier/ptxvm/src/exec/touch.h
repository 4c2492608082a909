#pragma once
// Which lanes touch which granules in one access of a warp. Most instructions touch the same shape
// every time they run, only elsewhere, and many touch the same shape as others: shapes are found
// once and shared.

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/shadow.h"
#include "exec/warp.h"

namespace kw::ptxvm {

/// A shape, relative to the chunk that holds the access's lowest byte.
struct alignas(64) Touch {
  static constexpr unsigned kMaxParts = 64;
  static constexpr std::uint8_t kNobody = 0xff;
  static constexpr std::uint32_t kIdle = 0xffffffff;  // offset of a lane that takes no part

  struct Lanes {  // of a row: the lowest and the highest lane, or kNobody
    std::uint8_t low[kRowGranules], high[kRowGranules];
  };
  struct Part {           // in one chunk
    std::uint32_t chunk;  // from the first one on
    std::uint8_t rows;
    bool linear;  // every granule, as the two maps say
    LaneMap low, high;
    std::uint8_t row[kChunkRows];  // in the chunk
    Lanes lanes[kChunkRows];
  };

  /// The bytes of each lane, and the size of granules.
  static std::uint32_t key(std::uint32_t bytes, std::uint32_t shift) { return bytes << 8 | shift; }
  /// From `offset`, `bytes` and `shift`. No parts: too many for one shape.
  void find(std::uint32_t bytes, std::uint32_t shift);

  std::uint32_t offset[kLanes];  // bytes from the chunk's begin
  std::uint32_t sizes = 0;       // key() of what the shape was found for
  std::uint32_t parts = 0;
  bool shared = false;  // some granule is touched by several lanes
  Part part[kMaxParts];

 private:
  static void find_maps(Part& p);
};

/// One host thread's shapes. Handlers read the tables; nullptr: not known yet.
class TouchPatterns {
 public:
  // By where in a chunk the access begins, and by whether it is one to shared memory (cp.async
  // makes two).
  static constexpr unsigned kWays = 2 * kChunkGranules;

  explicit TouchPatterns(std::size_t instructions);

  /// The shape of these offsets; what an instruction touched last is kept in `known`.
  const Touch& find(std::size_t index, const std::uint32_t (&offset)[kLanes], std::uint32_t bytes,
                    std::uint32_t shift);
  /// All lanes, one after the other, 2 to the power of `log2` granules each.
  const Touch& add_contiguous(unsigned log2, std::uint32_t first_granule);

  const Touch** known = nullptr;       // [Ins::cache][kWays]
  const Touch** contiguous = nullptr;  // [6][kChunkGranules]

 private:
  static constexpr std::size_t kShapes = 1024;  // a shape gives way to another of the same number

  std::vector<const Touch*> tables_;
  std::vector<std::unique_ptr<Touch>> shapes_;  // by hash
  std::vector<std::unique_ptr<Touch>> contiguous_;
};

}  // namespace kw::ptxvm

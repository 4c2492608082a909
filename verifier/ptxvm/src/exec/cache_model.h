#pragma once
// The cache model of kw::ptxvm::CacheCounts.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kw/ptxvm/report.h"

namespace kw::ptxvm {

struct LaunchContext;
struct Region;

inline constexpr std::uint64_t kSectorBytes = 32;

/// One block's share of an L1 cache.
class L1Cache {
 public:
  explicit L1Cache(std::uint32_t bytes);
  void clear();
  /// True if the sector (address / 32) is there; it is afterwards.
  bool read(std::uint64_t sector);

 private:
  static constexpr std::uint64_t kSectors = 4;  // of a line
  static constexpr std::size_t kWays = 16;
  struct Line {
    std::uint64_t number = 0;
    std::uint64_t used = 0;    // time of the last use; before `epoch_`: empty
    std::uint8_t sectors = 0;  // which are there
  };
  std::size_t sets_;
  std::vector<Line> lines_;  // set by set
  std::uint64_t now_ = 1, epoch_ = 1;
};

/// The caches of one host thread: what it asked of L2, and which sectors it touched.
class CacheModel {
 public:
  explicit CacheModel(const LaunchContext& context);

  /// Sectors of one request, ascending and distinct; `source` is its instruction.
  void request(L1Cache& l1, std::uint32_t source, std::span<const std::uint64_t> sectors);
  /// Takes in what another thread's blocks did.
  void merge(const CacheModel& other);
  CacheCounts counts() const;

 private:
  enum class Path : std::uint8_t { Cached, PastL1, Store, Atomic };
  struct Touched {
    std::vector<std::uint64_t> read, written;  // a bit per sector of a region
  };
  void touch(std::uint64_t sector, bool read, bool written);

  std::span<const Region> regions_;
  std::vector<Path> paths_;       // by source
  std::vector<Touched> touched_;  // by region; grown at first use
  std::size_t last_region_ = 0;
  CacheCounts counts_;
};

}  // namespace kw::ptxvm

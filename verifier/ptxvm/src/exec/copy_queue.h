#pragma once
// Asynchronous copies that a warp has issued and nobody has waited for, oldest first.

#include <cstdint>
#include <vector>

#include "exec/warp.h"

namespace kw::ptxvm {

/// Whether accesses of `bytes` by the lanes of `mask` to a region are in order, and recorded: those
/// of the instruction set in use (handlers/race_windows.h).
using WatchLanes = bool (*)(Warp& w, const Ins* ins, const Region& r, const std::uint64_t* address,
                            std::uint32_t mask, unsigned bytes, bool record);
struct CopyWatch {
  WatchLanes reads, writes;
};

struct AsyncCopy {
  std::uint32_t mask, bytes;
  std::uint32_t group;  // committed groups of its lanes when it was issued
  const Ins* ins;
  CopyWatch watch;
  /// If set, the whole warp copies all bytes from this region, and both sides are known to be good:
  /// the offsets hold, and nothing below.
  const Region* region;
  alignas(64) std::uint32_t to_offset[kLanes], from_offset[kLanes];
  std::uint64_t to[kLanes], from[kLanes];
  std::uint32_t source_bytes[kLanes];
  std::uint64_t fingerprint[kLanes];  // of the source at the issue (Options::check_async_copies)
};

/// Copies stay where they were put until they are done: they are large.
class CopyQueue {
 public:
  bool empty() const noexcept { return order_.empty(); }
  void clear() noexcept {
    free_.insert(free_.end(), order_.begin(), order_.end());
    order_.clear();
  }
  /// Its contents are left over from some other copy. Valid until the next call.
  AsyncCopy& add() {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(pool_.size()));
      pool_.emplace_back();
    }
    order_.push_back(free_.back());
    free_.pop_back();
    return pool_[order_.back()];
  }
  /// In order; done(copy) tells whether it goes.
  template <class F>
  void remove_if(F&& done) {
    std::size_t kept = 0;
    for (const std::uint32_t at : order_) {
      if (done(pool_[at]))
        free_.push_back(at);
      else
        order_[kept++] = at;
    }
    order_.resize(kept);
  }

 private:
  std::vector<AsyncCopy> pool_;
  std::vector<std::uint32_t> order_, free_;
};

}  // namespace kw::ptxvm

#pragma once
// Races: accesses to the same bytes, one of them a write, that nothing orders. README.md, "Races",
// says what orders what.

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "exec/access.h"
#include "exec/order.h"
#include "exec/shadow_pool.h"
#include "exec/touch.h"
#include "kw/ptxvm/program.h"

namespace kw::ptxvm {

struct Block;
struct LaunchContext;
struct LoweredKernel;

/// What the kernel's code says about the checks to come.
struct RacePlan {
  std::uint32_t shared_shift = 2, global_shift = 2;  // log2 of the smallest access
  bool fences = false;      // some release, acquire or fence: threads may synchronise by memory
  bool block_sync = false;  // at a scope wider than the block
};
RacePlan plan_races(const LoweredKernel& kernel);

/// What has been released at one address: by whom, and what they knew.
struct SyncVariable {
  std::shared_ptr<const ForeignSeen> device,
      block;  // by scope; includes the releasing block itself
};

/// One host thread's record of global memory.
class WorkerRaces {
 public:
  WorkerRaces(const LaunchContext& context, ShadowPool& pool);
  WorkerRaces(const WorkerRaces&) = delete;
  WorkerRaces& operator=(const WorkerRaces&) = delete;
  ~WorkerRaces();

  /// `count` stamps for the block at `position`; returns the first, 0 if none are left.
  Stamp take(std::uint64_t position, std::uint32_t count);
  Stamp launch_lo() const noexcept { return launch_lo_; }
  std::uint32_t block_of(Stamp t) const noexcept;
  /// The slots of a region, made at first use.
  Shadow& global(std::size_t region);
  Shadow* global_shadows() noexcept { return views_.data(); }
  ShadowPool& pool() noexcept { return pool_; }

  const RacePlan plan;
  std::unordered_map<std::uint64_t, SyncVariable> variables;  // global memory, by address
  TouchPatterns patterns;

 private:
  const LaunchContext& context_;
  ShadowPool& pool_;
  std::vector<Shadow> views_;
  std::vector<ShadowRoom> rooms_;
  std::vector<std::pair<Stamp, std::uint32_t>> ranges_;  // first stamp, block
  const Stamp launch_lo_;
  Stamp next_ = launch_lo_;
};

/// Several workers' records put together: does any granule hold a conflict between blocks?
bool workers_conflict(const std::vector<WorkerRaces*>& workers, std::size_t regions);

/// One block's logical time.
class BlockRaces {
 public:
  BlockRaces(Block& block, std::uint32_t shared_bytes, WorkerRaces& worker);
  BlockRaces(const BlockRaces&) = delete;
  BlockRaces& operator=(const BlockRaces&) = delete;
  ~BlockRaces();

  void start(WorkerRaces& worker);

  // Synchronisation.
  void sync_lanes(Warp& w, std::uint32_t lanes);  // bar.warp.sync
  void arrive(Warp& w, std::uint32_t lanes, std::uint32_t barrier);
  /// The barrier completes; `all`: it waits for every thread of the block.
  void complete(std::uint32_t barrier, bool all);
  /// These lanes waited at the barrier that has just completed.
  void pass(Warp& w, std::uint32_t lanes, std::uint32_t barrier);
  void forget(std::uint32_t barrier) { arrivals_[barrier] = {}; }
  void fence(Warp& w, bool device);
  /// A lane releases to, or acquires from, an object in memory (an mbarrier, a flag).
  void release(Warp& w, unsigned lane, Space space, std::uint64_t address, bool device);
  void acquire(Warp& w, unsigned lane, Space space, std::uint64_t address);

  // Accesses.
  struct Access {
    const Ins* ins;
    unsigned lane;
    Space space;
    const Region* region;
    std::uint64_t offset;  // in the region
    std::uint32_t bytes;
    AccessKind kind;
    const std::byte* value = nullptr;  // what a write stores, if known
    bool record = true;
  };
  void note(Warp& w, const Access& access);

 private:
  struct WarpState {
    std::shared_ptr<View> common;  // of all lanes, if uniform
    bool uniform = true;
    std::array<std::shared_ptr<View>, kLanes> lane;
    std::array<Stamp, kLanes> own_fence[2] = {};  // a lane's own accesses before its last fence

    void reset(const std::shared_ptr<View>& to, bool fences);
  };
  struct Arrivals {
    std::shared_ptr<View> view;
    std::shared_ptr<const View> last;  // joined most recently
  };
  struct Other {
    Stamp t;
    std::uint32_t who;
    bool is_write;
  };

  void advance();
  void refresh(Warp& w);
  const std::shared_ptr<View>& view(const Warp& w, unsigned lane) const;
  View& own_view(Warp& w, unsigned lane);  // to be changed, for this lane alone
  void add_own_fences(const Warp& w, std::uint32_t lanes, View& to) const;
  void assign(Warp& w, std::uint32_t lanes, const std::shared_ptr<View>& to);
  bool ordered(const Warp& w, unsigned lane, bool shared, Stamp t, std::uint32_t who) const;
  void synchronise(Warp& w, const Access& a, std::uint32_t bits);
  void publish(Space space, std::uint64_t address, BlockSeen own,
               const std::shared_ptr<const ForeignSeen>& foreign, bool device);
  void join_seen(Warp& w, unsigned lane, const std::shared_ptr<const ForeignSeen>& seen);
  void report(Warp& w, const Access& a, const Other& other);

  Block& block_;
  WorkerRaces* worker_;
  const RacePlan& plan_;
  std::uint32_t position_ = 0;
  Stamp now_ = 0, end_ = 0, range_lo_ = 0;
  std::uint32_t range_size_ = 0;
  bool exhausted_ = false;
  Stamp shared_dead_ = 0;  // shared memory: smaller stamps are in order for every warp
  ShadowRoom shared_room_;
  Shadow shared_;
  std::vector<WarpRaces> hot_;
  std::vector<WarpState> warps_;
  std::array<Arrivals, 16> arrivals_;
  std::unordered_map<std::uint64_t, SyncVariable> variables_;  // shared memory
};

}  // namespace kw::ptxvm

#pragma once
// A resident block: its warps, their registers, its shared and local memory and its barriers.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "exec/async_watch.h"
#include "exec/cache_model.h"
#include "exec/control.h"
#include "exec/races.h"
#include "exec/warp.h"
#include "kw/ptxvm/report.h"

namespace kw::ptxvm {

struct LaunchContext;
class Worker;

struct Barrier {
  std::uint32_t arrived = 0;   // threads
  std::uint32_t expected = 0;  // threads, if the instruction says how many; 0: all that are alive
  std::uint32_t votes = 0;     // bar.red: threads whose predicate is true
  bool used = false;
};

struct FreeAligned {
  void operator()(char* p) const noexcept;
};
using AlignedBytes = std::unique_ptr<char, FreeAligned>;
AlignedBytes allocate_aligned(std::size_t bytes);

struct Block {
  explicit Block(const LaunchContext& context);

  /// Makes the block ready to run as number `position` of the launch order.
  void start(Worker& by, std::uint64_t position);

  enum class Outcome : std::uint8_t { Running, Finished, Failed };
  /// Gives every warp turns until `instructions` are used up or the block is done.
  Outcome run(std::uint64_t instructions);

  void threads_ended(unsigned count) {
    live_threads -= count;
    barriers_dirty = true;
  }
  /// Instructions of the running turn that `executed` does not hold yet.
  static std::uint64_t turn_used(const Warp& w) {
    return static_cast<std::uint64_t>(kTurn - w.fuel);
  }
  static constexpr std::int64_t kTurn = 2048;  // instructions per warp and turn

  /// Options::pauses: whether to pause here, from the seed. A warp that pauses loses its turn soon.
  bool draw_pause();
  void maybe_pause(Warp& w) {
    if (draw_pause() && w.fuel > 0) w.fuel = 0;
  }

  const Ins* wait_at_barrier(Warp& w, const Ins* ins);

  const LaunchContext& context;
  Worker* worker = nullptr;
  Dim3 id{0, 0, 0};
  std::uint64_t position = 0;  // in launch order
  std::uint64_t executed = 0;  // warp instructions
  std::uint64_t sequence = 0;  // findings reported
  std::uint32_t live_threads = 0;
  bool barriers_dirty = false;
  bool barriers_used = false;  // some thread has arrived at one
  std::uint64_t barriers_completed = 0;
  std::array<Barrier, 16> barriers;
  std::vector<Warp> warps;
  std::vector<WarpControl> controls;
  std::vector<std::uint32_t> turn_order;  // warp numbers
  std::unique_ptr<BlockRaces> races;      // Options::check_races only
  AsyncWatch async;
  std::unique_ptr<L1Cache> l1;  // Options::model_caches only

 private:
  std::uint64_t pause_state_ = 0;
  bool turn(Warp& w);  // false: the block must stop
  bool complete_barriers();
  void count_arrival(Warp& w, Parked& p);
  bool resolve_standstill();
  void release(std::uint32_t barrier);
  void look_for_complete_shared();

  std::uint32_t until_look_ = 1, look_every_ = 1;  // barriers

  AlignedBytes registers_, shared_, local_;
  std::vector<std::uint8_t> shared_initialised_, local_initialised_;
};

}  // namespace kw::ptxvm

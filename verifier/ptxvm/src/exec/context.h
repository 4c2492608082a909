#pragma once
// What all blocks of one launch share, and what each host thread has for itself.

#include <atomic>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/block.h"
#include "exec/cache_model.h"
#include "exec/lowered.h"
#include "kw/ptxvm/memory.h"
#include "kw/ptxvm/run.h"

namespace kw::ptxvm {

struct LaunchContext {
  const LoweredKernel* kernel = nullptr;
  const Ins* code = nullptr;      // bound to an instruction set
  const Ins* untraced = nullptr;  // what `code` is a tracing copy of, if it is
  const Options* options = nullptr;
  const Memory* memory = nullptr;
  Dim3 grid, block;
  std::uint32_t shared_bytes = 0;
  std::uint32_t dynamic_shared_bytes = 0;
  const std::vector<std::byte>* parameters = nullptr;
  std::vector<Region> regions;  // global memory, sorted
  AlignedBytes pool;            // constants, relocated
  std::uint64_t blocks = 0;
  std::uint64_t grid_id = 0;
  std::uint64_t grid_barrier = 0;  // device address, 0 if the kernel does not ask for it

  Dim3 block_id(std::uint64_t linear) const noexcept {
    return {static_cast<std::uint32_t>(linear % grid.x),
            static_cast<std::uint32_t>(linear / grid.x % grid.y),
            static_cast<std::uint32_t>(linear / grid.x / grid.y)};
  }
  std::uint64_t block_bytes() const noexcept;  // host memory of a resident block
  std::uint64_t block_at(
      std::uint64_t position) const noexcept;  // linear block number in launch order

  // On a line of its own: threads write it while they read the rest.
  alignas(64) mutable std::atomic<std::uint64_t> next{0};  // position of the next block to start
  mutable std::atomic<std::uint64_t> stop_after{
      ~std::uint64_t{0}};                       // no block after this position matters
  mutable std::atomic<std::uint64_t> spent{0};  // of Options::launch_budget
  bool over_budget() const noexcept {
    return spent.load(std::memory_order_relaxed) > options->launch_budget;
  }
  bool cancelled() const noexcept {
    return options->cancel != nullptr && options->cancel->load(std::memory_order_relaxed);
  }
};

/// Thrown by what turns out at run time not to be supported; run() returns the error.
struct NotRunnable {
  Error error;
};

/// A finding before it is put into words.
struct RawFinding {
  FindingKind kind = FindingKind::OutOfBounds;
  const Ins* ins = nullptr;
  std::uint32_t source = 0;
  Space space = Space::Generic;
  bool is_write = false;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  std::string allocation;
  std::int64_t offset = 0;
  std::string message;
  // The other side, if there is one.
  bool has_other = false, other_is_write = false;
  std::uint32_t other_source = 0, other_warp = 0, other_lane = 0;
  Dim3 other_block{0, 0, 0};
  // Filled by Worker::report.
  std::uint64_t position = 0, sequence = 0;
  Dim3 block{0, 0, 0};
  std::uint32_t warp = 0, lane = 0;
  std::uint64_t occurrences = 0;
};

struct Traced {
  std::uint32_t source, lanes;
};

class Worker {
 public:
  Worker(const LaunchContext& context, ShadowPool& pool);

  /// Runs blocks until none is left for this thread.
  void work();
  void report(const Warp& warp, unsigned lane, RawFinding finding);
  /// The launch as a whole was stopped.
  void report_over_budget();

  const LaunchContext& context;
  std::vector<BlockCount> counts;                          // by basic block
  std::vector<const Region*> region_cache;                 // by Ins::cache
  std::unordered_map<std::uint64_t, RawFinding> findings;  // by kind and source
  Counters counters;
  std::vector<MemoryCounts> memory;    // by source, Options::count_memory only
  std::unique_ptr<CacheModel> caches;  // Options::model_caches only
  std::vector<Traced> trace;
  bool failed = false;
  std::unique_ptr<WorkerRaces> races;  // Options::check_races only

 private:
  /// A block that nobody has taken, made ready to run; nullptr if none is left. `free`: how many
  /// more could be resident.
  std::unique_ptr<Block> take(std::size_t free);
  void spend(std::uint64_t instructions);

  std::vector<std::unique_ptr<Block>> idle_;
  std::uint64_t claimed_ = 0, claimed_end_ = 0;  // positions taken from the launch, not yet started
  std::uint64_t unreported_ = 0;                 // spent, but not yet in LaunchContext::spent
};

/// Made by the threads that they belong to, so that no two share a cache line.
using Workers = std::vector<std::unique_ptr<Worker>>;

}  // namespace kw::ptxvm

#include <algorithm>
#include <numeric>

#include "exec/context.h"

namespace kw::ptxvm {

std::uint64_t LaunchContext::block_at(std::uint64_t position) const noexcept {
  switch (options->schedule) {
    case Schedule::InOrder:
      return position;
    case Schedule::Reversed:
      return blocks - 1 - position;
    case Schedule::Shuffled:
      break;
  }
  // position -> a * position + b modulo the number of blocks, with a prime to it.
  std::uint64_t a = (options->seed * 0x9e3779b97f4a7c15u >> 33) % blocks | 1;
  while (std::gcd(a, blocks) != 1) ++a;
  const std::uint64_t b = (options->seed * 0xbf58476d1ce4e5b9u >> 31) % blocks;
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(a) * position + b) % blocks);
}

std::uint64_t LaunchContext::block_bytes() const noexcept {
  const std::uint64_t warps = (block.count() + kLanes - 1) / kLanes;
  return warps * (kernel->register_bytes + 2 * kLanes * kernel->frame_bytes + sizeof(Warp)) +
         2 * shared_bytes + 4096;
}

Worker::Worker(const LaunchContext& c, ShadowPool& pool) : context(c) {
  counts.resize(c.kernel->block_start.size());
  region_cache.resize(c.kernel->cache_slots + 1);
  if (c.options->check_races) races = std::make_unique<WorkerRaces>(c, pool);
  if (!c.options->count_memory) return;
  memory.resize(c.kernel->sources.size());
  if (c.options->model_caches) caches = std::make_unique<CacheModel>(c);
}

void Worker::report(const Warp& warp, unsigned lane, RawFinding finding) {
  Block& block = *warp.block;
  if (finding.ins != nullptr) finding.source = finding.ins->source;
  finding.position = block.position;
  finding.sequence = block.sequence++;
  finding.block = block.id;
  finding.warp = warp.index;
  finding.lane = lane;
  finding.occurrences = 1;
  const std::uint64_t key = static_cast<std::uint64_t>(finding.kind) << 32 | finding.source;
  const auto [it, fresh] = findings.try_emplace(key, finding);
  if (fresh) return;
  const std::uint64_t occurrences = it->second.occurrences + 1;
  // Blocks of one thread may interleave: the earliest block's first finding stands.
  if (finding.position < it->second.position) it->second = std::move(finding);
  it->second.occurrences = occurrences;
}

void Worker::report_over_budget() {
  RawFinding finding;
  finding.kind = FindingKind::Watchdog;
  finding.message = fmt::format(
      "the {} blocks of the launch executed more than {} warp instructions together, {} "
      "counted for each block that starts",
      context.blocks, context.options->launch_budget, Options::kBlockCost);
  finding.occurrences = 1;
  failed = true;
  findings.emplace(~std::uint64_t{0}, std::move(finding));
}

// Positions are taken several at a time, since threads that take them contend, but never more than
// could be resident here: a block may wait for any other, so what is taken must be able to start.
std::unique_ptr<Block> Worker::take(std::size_t free) {
  constexpr std::uint64_t kMostAtOnce = 8, kPartsPerThread = 64;
  if (claimed_ == claimed_end_) {
    const std::uint64_t parts = kPartsPerThread * std::max(1u, context.options->threads);
    const std::uint64_t count = std::clamp<std::uint64_t>(
        context.blocks / parts, 1, std::min<std::uint64_t>(kMostAtOnce, free));
    claimed_ = context.next.fetch_add(count);
    claimed_end_ = std::max(claimed_, std::min(claimed_ + count, context.blocks));
    if (claimed_ == claimed_end_) return nullptr;
  }
  const std::uint64_t position = claimed_++;
  if (position > context.stop_after.load()) return nullptr;
  if (idle_.empty()) idle_.push_back(std::make_unique<Block>(context));
  std::unique_ptr<Block> block = std::move(idle_.back());
  idle_.pop_back();
  block->start(*this, position);
  spend(Options::kBlockCost);
  return block;
}

// One thread alone reports at once, so that its budget ends it at the same instruction every time.
void Worker::spend(std::uint64_t instructions) {
  constexpr std::uint64_t kReport = 1u << 14;
  unreported_ += instructions;
  if (context.options->threads > 1 && unreported_ < kReport) return;
  context.spent.fetch_add(unreported_, std::memory_order_relaxed);
  unreported_ = 0;
}

void Worker::work() {
  const unsigned threads = std::max(1u, context.options->threads);
  const std::size_t most = static_cast<std::size_t>(std::clamp<std::uint64_t>(
      context.options->resident_bytes / threads / context.block_bytes(), 1, 1u << 16));
  // Blocks take turns, so that a block may wait for any later one. A new one joins only when a
  // whole round has passed in which none ended: blocks that wait for nobody mostly run one after
  // another.
  constexpr std::uint64_t kSlice = 1u << 12;
  constexpr std::size_t kPatience = 2;
  std::size_t unfinished_turns = 0;
  std::vector<std::unique_ptr<Block>> resident;
  std::size_t turn = 0;
  const auto start_next = [&] {
    auto block = take(most - resident.size());
    if (!block) return false;
    resident.push_back(std::move(block));
    return true;
  };
  while (!context.cancelled() && !context.over_budget()) {
    if (resident.empty() && !start_next()) break;
    turn %= resident.size();
    Block& block = *resident[turn];
    Block::Outcome outcome = Block::Outcome::Failed;
    const std::uint64_t before = block.executed;
    if (block.position <= context.stop_after.load()) outcome = block.run(kSlice);
    spend(block.executed - before);
    if (outcome == Block::Outcome::Running) {
      ++turn;
      if (++unfinished_turns < kPatience * resident.size()) continue;
      unfinished_turns = 0;
      if (resident.size() < most && start_next()) turn = resident.size() - 1;
      continue;
    }
    unfinished_turns = 0;
    if (outcome == Block::Outcome::Failed) {
      failed = true;
      std::uint64_t seen = context.stop_after.load();
      while (block.position < seen &&
             !context.stop_after.compare_exchange_weak(seen, block.position)) {
      }
    }
    counters.barriers += block.barriers_completed;
    for (const WarpControl& c : block.controls) {
      counters.divergent_branches += c.divergent_branches;
      counters.matrix_multiply_adds += c.matrix_multiply_adds;
    }
    idle_.push_back(std::move(resident[turn]));
    resident.erase(resident.begin() + static_cast<std::ptrdiff_t>(turn));
  }
  context.spent.fetch_add(unreported_, std::memory_order_relaxed);
}

}  // namespace kw::ptxvm

#include "exec/block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>

#include "exec/context.h"
#include "ir/slots.h"

namespace kw::ptxvm {
namespace {

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

}  // namespace

void FreeAligned::operator()(char* p) const noexcept { std::free(p); }

AlignedBytes allocate_aligned(std::size_t bytes) {
  AlignedBytes out(static_cast<char*>(std::aligned_alloc(256, (bytes + 511) / 256 * 256)));
  if (!out) throw std::bad_alloc();
  return out;
}

Block::Block(const LaunchContext& c) : context(c) {
  const LoweredKernel& k = *c.kernel;
  const auto threads = static_cast<std::uint32_t>(c.block.count());
  const std::uint32_t count = (threads + kLanes - 1) / kLanes;
  warps.resize(count);
  controls.resize(count);
  turn_order.resize(count);
  registers_ = allocate_aligned(std::size_t{count} * k.register_bytes);
  shared_ = allocate_aligned(c.shared_bytes + 64);
  shared_initialised_.resize(c.shared_bytes + 64);
  const std::size_t local_bytes = std::size_t{count} * kLanes * k.frame_bytes;
  local_ = allocate_aligned(local_bytes + 64);
  local_initialised_.resize(local_bytes + 64);
  for (std::uint32_t i = 0; i < count; ++i) {
    Warp& w = warps[i];
    w = Warp{};
    w.base[0] = registers_.get() + std::size_t{i} * k.register_bytes;
    w.base[1] = c.pool.get() - 1;
    w.regions = c.regions.data();
    w.region_count = static_cast<std::uint32_t>(c.regions.size());
    w.track_initialised = c.options->check_uninitialised;
    w.count_memory = c.options->count_memory;
    w.exact_matrix = c.options->exact_tensor_accumulation;
    w.watched = c.options->check_races || (c.options->check_async_copies && k.uses_async_copies);
    w.reverse_lanes = c.options->reverse_lanes;
    w.plain_access = !w.count_memory && !w.watched && !w.reverse_lanes;
    w.shared = {0,
                c.shared_bytes,
                reinterpret_cast<std::byte*>(shared_.get()),
                shared_initialised_.data(),
                nullptr,
                false};
    w.code = c.code;
    w.block_start = k.block_start.data();
    w.extra = k.extra.data();
    w.parameters = c.parameters->data();
    w.parameter_bytes = static_cast<std::uint32_t>(c.parameters->size());
    const std::size_t local_offset = std::size_t{i} * kLanes * k.frame_bytes;
    w.local = reinterpret_cast<std::byte*>(local_.get()) + local_offset;
    w.local_initialised = local_initialised_.data() + local_offset;
    w.local_bytes = w.local_stride = k.frame_bytes;
    w.index = i;
    w.block = this;
    w.control = &controls[i];
    for (std::uint32_t l = 0; l < kLanes; ++l) {
      const std::uint32_t t = i * kLanes + l;
      w.tid[0][l] = t % c.block.x;
      w.tid[1][l] = t / c.block.x % c.block.y;
      w.tid[2][l] = t / c.block.x / c.block.y;
    }
    std::memcpy(w.base[0] + kThreadIndexSlot, w.tid, sizeof w.tid);
  }
}

void Block::start(Worker& by, std::uint64_t at) {
  const LoweredKernel& k = *context.kernel;
  worker = &by;
  position = at;
  executed = sequence = barriers_completed = 0;
  if (barriers_used) barriers.fill({});
  barriers_dirty = barriers_used = false;
  const std::uint64_t linear = context.block_at(at);
  id = context.block_id(linear);
  live_threads = static_cast<std::uint32_t>(context.block.count());
  if (by.caches) {
    if (!l1) l1 = std::make_unique<L1Cache>(context.options->l1_bytes);
    l1->clear();
  }
  std::memset(shared_.get(), 0xff, context.shared_bytes);
  std::fill(shared_initialised_.begin(), shared_initialised_.end(), std::uint8_t{0});
  if (k.frame_bytes != 0) {
    std::memset(local_.get(), 0xff, warps.size() * kLanes * k.frame_bytes);
    std::fill(local_initialised_.begin(), local_initialised_.end(), std::uint8_t{0});
  }
  for (std::uint32_t i = 0; i < warps.size(); ++i) {
    Warp& w = warps[i];
    const std::uint32_t threads = live_threads - i * kLanes;
    w.live = threads >= kLanes ? kFullMask : (1u << threads) - 1;
    w.mask = 0;
    w.join = w.join_block = -1;
    w.stop = Stop::None;
    w.force = w.resume = nullptr;
    w.counts = by.counts.data();
    w.region_cache = by.region_cache.data();
    w.shared.complete = false;
    // So that a read of a register that was never written repeats in every run.
    for (const auto& [begin, end] : k.cleared) std::memset(w.base[0] + begin, 0, end - begin);
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (!k.block_index_used[axis]) continue;
      auto* const index =
          reinterpret_cast<std::uint32_t*>(w.base[0] + kBlockIndexSlot) + axis * kLanes;
      std::fill(index, index + kLanes, axis == 0 ? id.x : axis == 1 ? id.y : id.z);
    }
    controls[i].reset();
    controls[i].ready.push_back({w.code, w.live, -1});
  }
  if (by.races && !races)
    races = std::make_unique<BlockRaces>(*this, context.shared_bytes, *by.races);
  if (races) races->start(*by.races);
  async.start(
      *this, context.options->check_async_copies && k.uses_async_copies ? context.shared_bytes : 0);
  until_look_ = look_every_ = 1;
  pause_state_ = mix(context.options->seed ^ linear);
  std::iota(turn_order.begin(), turn_order.end(), 0u);
  if (context.options->schedule == Schedule::Reversed)
    std::reverse(turn_order.begin(), turn_order.end());
  if (context.options->schedule == Schedule::Shuffled) {
    std::uint64_t state = context.options->seed ^ mix(linear);
    for (std::size_t i = turn_order.size(); i > 1; --i) {
      state = mix(state);
      std::swap(turn_order[i - 1], turn_order[state % i]);
    }
  }
}

bool Block::draw_pause() {
  if (!context.options->pauses) return false;
  pause_state_ = mix(pause_state_);
  return pause_state_ % 4 == 0;
}

bool Block::turn(Warp& w) {
  w.fuel = kTurn;
  w.stop = Stop::None;
  const Ins* ins = next_split(w);
  while (ins != nullptr) ins = ins->run(w, ins);
  executed += static_cast<std::uint64_t>(kTurn - w.fuel);
  if (barriers_dirty) complete_barriers();
  if (w.stop == Stop::Fatal) return false;
  if (executed <= context.options->instruction_budget) return true;
  RawFinding finding;
  finding.kind = FindingKind::Watchdog;
  finding.ins = controls[w.index].ready.empty() ? w.code : controls[w.index].ready.front().resume;
  finding.message = fmt::format("block executed more than {} warp instructions",
                                context.options->instruction_budget);
  worker->report(w, 0, std::move(finding));
  return false;
}

Block::Outcome Block::run(std::uint64_t instructions) {
  const std::uint64_t until = executed + instructions;
  while (live_threads != 0) {
    bool progress = false;
    for (const std::uint32_t i : turn_order) {
      if (controls[i].ready.empty()) continue;
      progress = true;
      if (draw_pause()) continue;
      if (!turn(warps[i])) return Outcome::Failed;
    }
    if (live_threads == 0) break;
    if (!progress && !resolve_standstill()) return Outcome::Failed;
    if (executed >= until) return Outcome::Running;
  }
  return Outcome::Finished;
}

}  // namespace kw::ptxvm

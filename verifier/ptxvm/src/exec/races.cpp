#include "exec/races.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "exec/context.h"
#include "exec/operands.h"

namespace kw::ptxvm {

// Worker

WorkerRaces::WorkerRaces(const LaunchContext& context, ShadowPool& pool)
    : plan(plan_races(*context.kernel)),
      patterns(context.kernel->cache_slots + 1),
      context_(context),
      pool_(pool),
      views_(context.regions.size()),
      rooms_(context.regions.size()),
      launch_lo_(pool.begin_launch()) {}

WorkerRaces::~WorkerRaces() {
  for (ShadowRoom& room : rooms_) {
    if (room.chunks != 0) pool_.give(std::move(room));
  }
  pool_.end_launch(next_);
}

Stamp WorkerRaces::take(std::uint64_t position, std::uint32_t count) {
  if (count > 0xffffff00u - next_) return 0;
  const Stamp first = next_;
  next_ += count;
  const auto block = static_cast<std::uint32_t>(position);
  if (ranges_.empty() || ranges_.back().second != block) ranges_.emplace_back(first, block);
  return first;
}

std::uint32_t WorkerRaces::block_of(Stamp t) const noexcept {
  const auto next =
      std::upper_bound(ranges_.begin(), ranges_.end(), t,
                       [](Stamp stamp, const auto& range) { return stamp < range.first; });
  return std::prev(next)->second;
}

Shadow& WorkerRaces::global(std::size_t region) {
  if (views_[region].chunks == nullptr) {
    const Region& r = context_.regions[region];
    const std::uint64_t granules = (r.hi - r.lo) >> plan.global_shift;
    rooms_[region] = pool_.take(granules);
    views_[region] = rooms_[region].shadow(granules);
  }
  return views_[region];
}

namespace {

// Whether one of two threads' records of a chunk has a write where the other has anything.
bool chunks_conflict(Shadow& a, Stamp a_lo, Shadow& b, Stamp b_lo, std::size_t chunk) {
  Chunk &x = a.chunks[chunk], &y = b.chunks[chunk];
  const auto touched = [](const Chunk& c, Stamp lo) {
    return c.is_spread ? std::max(c.spread.writes.hi, c.spread.reads.hi) >= lo
                       : std::max(c.compact.write.t, c.compact.read.t) >= lo;
  };
  if (!touched(x, a_lo) || !touched(y, b_lo)) return false;
  if (!x.is_spread && !y.is_spread) return x.compact.write.t >= a_lo;
  if (x.is_spread && x.spread.writes.hi < a_lo) return false;
  spread(a, chunk, a_lo);
  spread(b, chunk, b_lo);
  for (std::size_t row = chunk * kChunkRows; row < (chunk + 1) * kChunkRows; ++row) {
    for (unsigned i = 0; i < kRowGranules; ++i) {
      const auto strong = [&](const Shadow& s, Stamp lo) {
        return s.has_strong && s.strong_rows[row].write2.t[i] >= lo;
      };
      const bool weak = a.rows[row].write.t[i] >= a_lo;
      if (!weak && !strong(a, a_lo)) continue;
      const RowSlots& read = b.rows[row].read;
      const bool strong_read = (read.who[i] & Who::kStrong) != 0;
      if (b.rows[row].write.t[i] >= b_lo || (read.t[i] >= b_lo && (weak || !strong_read)) ||
          (weak && strong(b, b_lo)))
        return true;
    }
  }
  return false;
}

}  // namespace

bool workers_conflict(const std::vector<WorkerRaces*>& workers, std::size_t regions) {
  for (std::size_t r = 0; r < regions; ++r) {
    for (WorkerRaces* one : workers) {
      Shadow& a = one->global_shadows()[r];
      if (a.chunks == nullptr) continue;
      for (WorkerRaces* other : workers) {
        Shadow& b = other->global_shadows()[r];
        if (other == one || b.chunks == nullptr) continue;
        for (std::size_t chunk = 0; chunk * kChunkGranules < a.granules; ++chunk) {
          if (chunks_conflict(a, one->launch_lo(), b, other->launch_lo(), chunk)) return true;
        }
      }
    }
  }
  return false;
}

// Accesses

namespace {

// A volatile access to shared memory is a plain one: lanes and warps that rely on more are
// mistaken.
bool is_strong(AccessBits bits, Space space) {
  return bits.strong() && (space != Space::Shared || !bits.is_volatile());
}

}  // namespace

bool BlockRaces::ordered(const Warp& w, unsigned lane, bool shared, Stamp t,
                         std::uint32_t who) const {
  const WarpRaces& hot = hot_[w.index];
  if (!(shared ? hot.shared : hot.global).fresh(t)) return true;
  const std::uint32_t thread = who & Who::kThreadMask;
  const std::uint32_t block = shared ? position_ : worker_->block_of(t);
  const View& v = *view(w, lane);
  if (block == position_) {
    return thread == w.index * kLanes + lane ||
           v.own.knows(thread / kLanes, thread % kLanes, t & ~1u);
  }
  if (!plan_.block_sync) return false;
  const BlockSeen* seen = find_block(v.foreign.get(), block);
  return seen != nullptr && seen->knows(thread / kLanes, thread % kLanes, t & ~1u);
}

void BlockRaces::note(Warp& w, const Access& a) {
  if (exhausted_ || a.space == Space::Local || a.space == Space::Parameter) return;
  const bool shared = a.space == Space::Shared;
  const AccessBits bits{a.ins->y};
  if (plan_.fences && is_strong(bits, a.space)) synchronise(w, a, bits.bits);
  Shadow& s = shared ? *hot_[w.index].shared_shadow
                     : worker_->global(static_cast<std::size_t>(a.region - w.regions));
  const std::uint32_t shift = shared ? plan_.shared_shift : plan_.global_shift;
  const bool strong = is_strong(bits, a.space);
  const std::uint32_t me = w.index << Who::kWarpShift | a.lane |
                           std::min(a.ins->source, Who::kSites - 1) << Who::kSiteShift |
                           (strong ? Who::kStrong : 0u) |
                           (bits.is_volatile() ? Who::kVolatile : 0u);
  // Strong accesses do not race with one another, but volatile gives lanes of a warp no order.
  const auto excused = [&](Stamp t, std::uint32_t who) {
    if (!strong || (who & Who::kStrong) == 0) return false;
    if ((who & me & Who::kVolatile) == 0 || ((who ^ me) & Who::kWarpMask) != 0) return true;
    return !shared && worker_->block_of(t) != position_;
  };
  const auto conflicts = [&](Stamp t, std::uint32_t who) {
    return !ordered(w, a.lane, shared, t, who) && !excused(t, who);
  };
  Other other{0, 0, false};
  const Stamp launch_lo = shared ? 0 : worker_->launch_lo(),
              dead = shared ? shared_dead_ : launch_lo;
  const std::uint64_t first = a.offset >> shift,
                      end = (a.offset + std::max(a.bytes, 1u) + (1u << shift) - 1) >> shift;
  const bool write = a.kind != AccessKind::Read;
  // Storing what is there already conflicts with no other write.
  const auto same_value = [&] {
    return a.value != nullptr && std::memcmp(a.region->host + a.offset, a.value, a.bytes) == 0;
  };
  const auto check = [&](const RowSlots& slots, unsigned i, bool is_write) {
    if (other.t == 0 && conflicts(slots.t[i], slots.who[i]) && !(is_write && write && same_value()))
      other = {slots.t[i], slots.who[i], is_write};
  };
  const auto is_ordered = [&](const RowSlots& slots, unsigned i) {
    return ordered(w, a.lane, shared, slots.t[i], slots.who[i]);
  };
  // Two accesses that nothing orders, of different warps if there are such.
  const auto keep_two = [&](RowSlots& one, RowSlots& two, unsigned i) {
    if (is_ordered(one, i)) {
      one.t[i] = now_;
      one.who[i] = me;
      return;
    }
    const bool distant = ((one.who[i] ^ me) & Who::kWarpMask) != 0 ||
                         (!shared && worker_->block_of(one.t[i]) != position_);
    if ((two.t[i] & 1) != 0 && !is_ordered(two, i)) return;
    two.t[i] = now_ | (distant ? 1u : 0u);
    two.who[i] = me;
  };
  for (std::uint64_t g = first; g < end; ++g) {
    const auto at = static_cast<std::size_t>(g / kRowGranules);
    const auto i = static_cast<unsigned>(g % kRowGranules);
    Chunk& chunk = s.chunks[at / kChunkRows];
    if (!chunk.is_spread) spread(s, at / kChunkRows, dead);
    Row& row = s.rows[at];
    check(row.write, i, true);
    if (s.has_strong) {
      check(s.strong_rows[at].write2, i, true);
      check(s.strong_rows[at].write3, i, true);
    }
    if (write) {
      check(row.read, i, false);
      check(row.read2, i, false);
    }
    if (!a.record) continue;
    Chunk::Range& range = write ? chunk.spread.writes : chunk.spread.reads;
    if (range.hi < launch_lo || range.lo > now_) range.lo = now_;
    range.hi = std::max(range.hi, now_ | 1u);
    if (write && !strong) {
      row.write.t[i] = now_;
      row.write.who[i] = me;
    } else if (write) {
      s.has_strong = true;
      keep_two(s.strong_rows[at].write2, s.strong_rows[at].write3, i);
    } else if (!strong || is_ordered(row.read, i)) {  // a plain read conflicts with more
      keep_two(row.read, row.read2, i);
    }
  }
  if (other.t != 0) report(w, a, other);
}

void BlockRaces::report(Warp& w, const Access& a, const Other& other) {
  const LaunchContext& c = block_.context;
  const bool shared = a.space == Space::Shared;
  const std::uint32_t thread = other.who & Who::kThreadMask;
  const std::uint32_t block = shared ? position_ : worker_->block_of(other.t);
  const std::uint32_t site = other.who >> Who::kSiteShift & (Who::kSites - 1);
  RawFinding f;
  f.kind = FindingKind::Race;
  f.ins = a.ins;
  f.space = a.space;
  f.is_write = a.kind != AccessKind::Read;
  f.bytes = a.bytes;
  f.offset = static_cast<std::int64_t>(a.offset);
  f.address = a.region->lo + a.offset;
  f.allocation = to_string(a.space);
  std::string where = fmt::format("offset {} of {} memory", a.offset, f.allocation);
  if (!shared && a.region->allocation != nullptr) {
    f.allocation = static_cast<const Allocation*>(a.region->allocation)->name;
    where = fmt::format("offset {} of '{}'", a.offset, f.allocation);
  }
  f.has_other = true;
  f.other_source = site;
  f.other_block = c.block_id(c.block_at(block));
  f.other_warp = thread / kLanes;
  f.other_lane = thread % kLanes;
  f.other_is_write = other.is_write;
  f.message =
      fmt::format("{} of {} bytes at {} is not ordered with the {}", f.is_write ? "write" : "read",
                  a.bytes, where, other.is_write ? "write" : "read");
  block_.worker->report(w, a.lane, std::move(f));
}

void note_lanes(Warp& w, const Ins* ins, const Region& region) {
  const AccessBits access{ins->y};
  const std::uint32_t element = access.bytes(), count = access.count(), total = element * count;
  const std::uint32_t registers[4] = {ins->d, ins->b, ins->c, ins->x};
  const std::uint32_t lane_size = element == 1 ? 2 : element;
  BlockRaces& races = *w.block->races;
  BlockRaces::Access a{};
  a.ins = ins;
  a.space = &region == &w.shared ? Space::Shared : Space::Global;
  a.region = &region;
  a.bytes = total;
  a.kind = access.store() ? AccessKind::Write : AccessKind::Read;
  alignas(16) std::byte value[32];
  for (unsigned k = 0; k < kLanes; ++k) {
    const unsigned l = w.reverse_lanes ? kLanes - 1 - k : k;
    if ((w.mask >> l & 1) == 0) continue;
    a.lane = l;
    a.offset = w.address[l] - region.lo;
    if (access.store()) {
      for (std::uint32_t v = 0; v < count; ++v)
        std::memcpy(value + v * element,
                    operand<char>(w, registers[v]) + std::size_t{l} * lane_size, element);
      a.value = value;
    }
    races.note(w, a);
    if (access.store()) std::memcpy(region.host + a.offset, value, total);
  }
}

// Synchronisation by memory

void BlockRaces::synchronise(Warp& w, const Access& a, std::uint32_t bits) {
  const std::uint64_t address = a.region->lo + a.offset;
  const bool atomic = (bits & AccessBits::kAtomic) != 0;
  auto& variables = a.space == Space::Shared ? variables_ : worker_->variables;
  const auto found = variables.find(address);
  if (a.kind != AccessKind::Write && found != variables.end()) {
    if ((bits & AccessBits::kAcquire) != 0) {
      acquire(w, a.lane, a.space, address);
    } else {
      View& v = own_view(w, a.lane);
      v.pending = joined(joined(v.pending, found->second.device), found->second.block);
    }
  }
  if (a.kind == AccessKind::Read) return;
  // A store hides what was released at the address before; an atomic passes it on.
  if (!atomic && found != variables.end()) found->second = {};
  if ((bits & AccessBits::kRelease) != 0) {
    release(w, a.lane, a.space, address, (bits & AccessBits::kBlockScope) == 0);
    return;
  }
  const View& v = *view(w, a.lane);
  for (const unsigned device : {1u, 0u}) {
    const Stamp mine = warps_[w.index].own_fence[device][a.lane];
    if (mine == 0 && !v.fenced[device]) continue;
    Fenced fenced = v.fenced[device] ? *v.fenced[device] : Fenced{};
    if (mine != 0) fenced.own.learn(w.index * kLanes + a.lane, mine);
    publish(a.space, address, std::move(fenced.own), fenced.foreign, device == 1);
  }
}

void BlockRaces::publish(Space space, std::uint64_t address, BlockSeen own,
                         const std::shared_ptr<const ForeignSeen>& foreign, bool device) {
  SyncVariable& variable = (space == Space::Shared ? variables_ : worker_->variables)[address];
  auto& to = device ? variable.device : variable.block;
  to = with_block(joined(to, foreign), position_, own);
}

void BlockRaces::release(Warp& w, unsigned lane, Space space, std::uint64_t address, bool device) {
  const View& v = *view(w, lane);
  BlockSeen own = v.own;
  own.learn(w.index * kLanes + lane, now_);
  publish(space, address, std::move(own), v.foreign, device);
  advance();
}

void BlockRaces::acquire(Warp& w, unsigned lane, Space space, std::uint64_t address) {
  auto& variables = space == Space::Shared ? variables_ : worker_->variables;
  const auto found = variables.find(address);
  if (found == variables.end()) return;
  join_seen(w, lane, found->second.device);
  join_seen(w, lane, found->second.block);
}

void BlockRaces::join_seen(Warp& w, unsigned lane, const std::shared_ptr<const ForeignSeen>& seen) {
  if (!seen) return;
  View& v = own_view(w, lane);
  if (const BlockSeen* own = find_block(seen.get(), position_)) v.own.join(*own);
  if (plan_.block_sync) v.foreign = joined(v.foreign, seen);
  refresh(w);
}

void BlockRaces::fence(Warp& w, bool device) {
  WarpState& s = warps_[w.index];
  const auto pass_fence = [&](View& v) {
    auto fenced = std::make_shared<Fenced>(Fenced{v.own, v.foreign});
    v.fenced[0] = fenced;
    if (device) v.fenced[1] = std::move(fenced);
  };
  if (s.uniform && (w.live & ~w.mask) == 0 && !s.common->pending) {
    if (s.common.use_count() != 1) s.common = std::make_shared<View>(*s.common);
    pass_fence(*s.common);
  } else {
    for (std::uint32_t left = w.mask; left != 0; left &= left - 1) {
      const auto l = static_cast<unsigned>(__builtin_ctz(left));
      const auto pending = std::exchange(own_view(w, l).pending, nullptr);
      join_seen(w, l, pending);
      pass_fence(own_view(w, l));
    }
  }
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    s.own_fence[0][l] = now_;
    if (device) s.own_fence[1][l] = now_;
  }
  advance();
}

}  // namespace kw::ptxvm

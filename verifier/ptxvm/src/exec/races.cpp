#include "exec/races.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "exec/context.h"
#include "exec/operands.h"

namespace kw::ptxvm {

void ShadowMemory::Free::operator()(std::uint32_t* p) const noexcept { std::free(p); }

void ShadowMemory::allocate(std::uint64_t bytes, std::uint32_t shift) {
  // Handlers touch whole windows; a little more than the region is read, nothing is written there.
  const std::size_t n = static_cast<std::size_t>(bytes >> shift) + 64;
  slots_.reset(static_cast<std::uint32_t*>(std::calloc(10 * n, sizeof(std::uint32_t))));
  if (!slots_) throw std::bad_alloc();
  std::uint32_t* at = slots_.get();
  view = {};
  for (std::uint32_t** slot :
       {&view.write, &view.writer, &view.read, &view.reader, &view.read2, &view.reader2,
        &view.write2, &view.writer2, &view.write3, &view.writer3}) {
    *slot = at;
    at += n;
  }
  view.granules = bytes >> shift;
}

// Worker

WorkerRaces::WorkerRaces(const LaunchContext& context)
    : plan(plan_races(*context.kernel)),
      context_(context),
      views_(context.regions.size()),
      storage_(context.regions.size()) {}

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
  if (views_[region].write == nullptr) {
    const Region& r = context_.regions[region];
    storage_[region].allocate(r.hi - r.lo, plan.global_shift);
    views_[region] = storage_[region].view;
  }
  return views_[region];
}

bool workers_conflict(const std::vector<WorkerRaces*>& workers, std::size_t regions) {
  for (std::size_t r = 0; r < regions; ++r) {
    for (std::size_t i = 0; i < workers.size(); ++i) {
      const Shadow& a = workers[i]->global_shadows()[r];
      if (!a.has_write && !a.has_strong) continue;
      for (std::size_t k = 0; k < workers.size(); ++k) {
        const Shadow& b = workers[k]->global_shadows()[r];
        if (k == i || b.write == nullptr) continue;
        const auto touched = [&](const Stamp* t, const std::uint32_t* who, std::uint64_t g,
                                 bool strong_too) {
          return t[g] != 0 && (strong_too || (who[g] & Who::kStrong) == 0);
        };
        for (std::uint64_t g = 0; g < a.granules; ++g) {
          const bool weak = touched(a.write, a.writer, g, true);
          if (!weak && !touched(a.write2, a.writer2, g, true)) continue;
          if (touched(b.write, b.writer, g, true) || touched(b.read, b.reader, g, weak) ||
              (weak && touched(b.write2, b.writer2, g, true)))
            return true;
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
  const auto conflicts = [&](const Stamp* t, const std::uint32_t* who, std::uint64_t g) {
    return t[g] != 0 && !excused(t[g], who[g]) && !ordered(w, a.lane, shared, t[g], who[g]);
  };
  Other other{0, 0, false};
  const std::uint64_t first = a.offset >> shift,
                      end = (a.offset + std::max(a.bytes, 1u) + (1u << shift) - 1) >> shift;
  const bool write = a.kind != AccessKind::Read;
  // Storing what is there already conflicts with no other write.
  const auto same_value = [&] {
    return a.value != nullptr && std::memcmp(a.region->host + a.offset, a.value, a.bytes) == 0;
  };
  const auto check = [&](const Stamp* t, const std::uint32_t* who, std::uint64_t g, bool is_write) {
    if (other.t == 0 && conflicts(t, who, g) && !(is_write && write && same_value()))
      other = {t[g], who[g], is_write};
  };
  const auto is_ordered = [&](const Stamp* t, const std::uint32_t* who, std::uint64_t g) {
    return t[g] == 0 || ordered(w, a.lane, shared, t[g], who[g]);
  };
  // Two accesses that nothing orders, of different warps if there are such.
  const auto keep_two = [&](Stamp* t, std::uint32_t* who, Stamp* t2, std::uint32_t* who2,
                            std::uint64_t g) {
    if (is_ordered(t, who, g)) {
      t[g] = now_;
      who[g] = me;
      return false;
    }
    const bool distant =
        ((who[g] ^ me) & Who::kWarpMask) != 0 || (!shared && worker_->block_of(t[g]) != position_);
    if (t2[g] != 0 && (t2[g] & 1) != 0 && !is_ordered(t2, who2, g)) return true;
    t2[g] = now_ | (distant ? 1u : 0u);
    who2[g] = me;
    return true;
  };
  for (std::uint64_t g = first; g < end; ++g) {
    check(s.write, s.writer, g, true);
    check(s.write2, s.writer2, g, true);
    check(s.write3, s.writer3, g, true);
    if (write) {
      check(s.read, s.reader, g, false);
      check(s.read2, s.reader2, g, false);
    }
    if (!a.record) continue;
    if (write && !strong) {
      s.has_write = true;
      s.write[g] = now_;
      s.writer[g] = me;
    } else if (write) {
      s.has_strong = true;
      keep_two(s.write2, s.writer2, s.write3, s.writer3, g);
    } else if (!strong || is_ordered(s.read, s.reader, g)) {  // a plain read conflicts with more
      s.has_read = true;
      s.has_read2 |= keep_two(s.read, s.reader, s.read2, s.reader2, g);
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

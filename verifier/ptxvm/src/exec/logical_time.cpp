// Barriers and bar.warp.sync in the logical time of a block, and what the code says before it runs.

#include <algorithm>
#include <limits>

#include "exec/context.h"
#include "exec/races.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint32_t kFirstRange = 32, kGrowth = 4, kLargestRange = 1u << 16;

bool has_scope_of_block(const Instruction& in) { return in.has("cta"); }

}  // namespace

RacePlan plan_races(const LoweredKernel& kernel) {
  RacePlan plan;
  for (std::size_t i = 0; i < kernel.code.size(); ++i) {
    const Ins& ins = kernel.code[i];
    const std::string_view name = handler_entry(kernel.handlers[i]).name;
    const Instruction& in = *kernel.sources[ins.source];
    const std::string& base = in.base();
    const bool access = name.starts_with("$ld.global") || name.starts_with("$ld.shared") ||
                        name.starts_with("$st.") || name.starts_with("$atom") ||
                        name == "$cp.async";
    if (access) {
      const AccessBits bits{ins.y};
      const auto size = static_cast<std::uint32_t>(__builtin_ctz(bits.bytes() * bits.count()));
      const auto space = static_cast<Space>(bits.space());
      const bool copy = name == "$cp.async";  // from global to shared memory
      if (space != Space::Global || copy) plan.shared_shift = std::min(plan.shared_shift, size);
      if (space != Space::Shared) plan.global_shift = std::min(plan.global_shift, size);
      if ((bits.bits & (AccessBits::kAcquire | AccessBits::kRelease)) != 0) {
        plan.fences = true;
        if (space != Space::Shared && (bits.bits & AccessBits::kBlockScope) == 0)
          plan.block_sync = true;
      }
    } else if (base == "membar" || base == "fence") {
      plan.fences = true;
      plan.block_sync |= !has_scope_of_block(in);
    } else if (base == "mbarrier") {
      plan.fences = true;
    }
  }
  return plan;
}

BlockRaces::BlockRaces(Block& block, std::uint32_t shared_bytes, WorkerRaces& worker)
    : block_(block),
      worker_(&worker),
      plan_(worker.plan),
      shared_room_(worker.pool().take(shared_bytes >> plan_.shared_shift)),
      shared_(shared_room_.shadow(shared_bytes >> plan_.shared_shift)),
      hot_(block.warps.size()),
      warps_(block.warps.size()) {}

BlockRaces::~BlockRaces() { worker_->pool().give(std::move(shared_room_)); }

void BlockRaces::WarpState::reset(const std::shared_ptr<View>& to, bool fences) {
  common = to;
  if (!uniform) lane.fill(nullptr);
  uniform = true;
  if (!fences) return;
  for (auto& own : own_fence) own.fill(0);
}

void BlockRaces::start(WorkerRaces& worker) {
  position_ = static_cast<std::uint32_t>(block_.position);
  range_size_ = kFirstRange;
  range_lo_ = worker.take(block_.position, range_size_);
  exhausted_ = range_lo_ == 0;
  end_ = range_lo_ + range_size_;
  now_ = range_lo_ + 2;
  variables_.clear();
  for (Arrivals& a : arrivals_) {
    if (a.view) a = {};
  }
  const auto nothing = std::make_shared<View>();
  nothing->own.warps.assign(warps_.size(), range_lo_);
  for (std::size_t i = 0; i < warps_.size(); ++i) {
    warps_[i].reset(nothing, plan_.fences);
    WarpRaces& hot = hot_[i];
    hot = {};
    hot.shared_shift = plan_.shared_shift;
    hot.global_shift = plan_.global_shift;
    hot.now = &now_;
    hot.who = static_cast<std::uint32_t>(i) << Who::kWarpShift;
    hot.block_sync = plan_.block_sync;
    hot.shared_dead = &shared_dead_;
    hot.shared_shadow = &shared_;
    hot.global_shadows = worker.global_shadows();
    hot.patterns = &worker.patterns;
    hot.global.launch_lo = worker.launch_lo();
    refresh(block_.warps[i]);
    block_.warps[i].races = exhausted_ ? nullptr : &hot;
  }
  shared_dead_ = range_lo_;
}

void BlockRaces::advance() {
  now_ += 2;
  if (now_ + 2 < end_ || exhausted_) return;
  range_size_ = std::min(range_size_ * kGrowth, kLargestRange);
  const Stamp end = end_, lo = worker_->take(block_.position, range_size_);
  if (lo == 0) {  // no more stamps: nothing more is checked in this block
    exhausted_ = true;
    for (Warp& w : block_.warps) w.races = nullptr;
    return;
  }
  end_ = lo + range_size_;
  if (lo == end) return;
  range_lo_ = lo;
  now_ = lo + 2;
  for (Warp& w : block_.warps) refresh(w);
}

void BlockRaces::refresh(Warp& w) {
  const WarpState& s = warps_[w.index];
  Stamp all = std::numeric_limits<Stamp>::max(), own = all;
  const auto include = [&](const View& v) {
    for (const Stamp t : v.own.warps) all = std::min(all, t);
    own = std::min(own, v.own.warps[w.index]);
  };
  if (s.uniform) {
    include(*s.common);
  } else {
    for (std::uint32_t left = w.live; left != 0; left &= left - 1)
      include(*s.lane[static_cast<unsigned>(__builtin_ctz(left))]);
  }
  WarpRaces& hot = hot_[w.index];
  hot.own_known = own;
  hot.shared.ordered = all | 1u;
  hot.global.block_lo = range_lo_;
  hot.global.ordered = (std::max(all, range_lo_) - range_lo_) | 1u;
}

const std::shared_ptr<View>& BlockRaces::view(const Warp& w, unsigned lane) const {
  const WarpState& s = warps_[w.index];
  return s.uniform ? s.common : s.lane[lane];
}

View& BlockRaces::own_view(Warp& w, unsigned lane) {
  WarpState& s = warps_[w.index];
  if (s.uniform) {
    s.lane.fill(s.common);
    s.uniform = false;
    s.common.reset();
  }
  std::shared_ptr<View>& v = s.lane[lane];
  if (v.use_count() != 1) v = std::make_shared<View>(*v);
  return *v;
}

void BlockRaces::assign(Warp& w, std::uint32_t lanes, const std::shared_ptr<View>& to) {
  WarpState& s = warps_[w.index];
  if ((w.live & ~lanes) != 0) {
    if (s.uniform) s.lane.fill(s.common);
    s.uniform = false;
    bool same = true;
    for (unsigned l = 0; l < kLanes; ++l) {
      if ((lanes >> l & 1) != 0) s.lane[l] = to;
      if ((w.live >> l & 1) != 0) same &= s.lane[l] == to;
    }
    if (!same) {
      s.common.reset();
      refresh(w);
      return;
    }
  }
  s.common = to;
  if (!s.uniform) s.lane.fill(nullptr);
  s.uniform = true;
  refresh(w);
}

// Whoever comes after these lanes comes after their fences too.
void BlockRaces::add_own_fences(const Warp& w, std::uint32_t lanes, View& to) const {
  if (!plan_.fences) return;
  const bool whole = (w.live & ~lanes) == 0;
  for (unsigned k = 0; k < 2; ++k) {
    const std::array<Stamp, kLanes>& own = warps_[w.index].own_fence[k];
    Stamp all = now_;
    bool any = false;
    for (std::uint32_t left = lanes & w.live; left != 0; left &= left - 1) {
      const Stamp t = own[static_cast<unsigned>(__builtin_ctz(left))];
      all = std::min(all, t);
      any |= t != 0;
    }
    if (!any) continue;
    auto fenced =
        to.fenced[k] ? std::make_shared<Fenced>(*to.fenced[k]) : std::make_shared<Fenced>();
    fenced->own.warps.resize(warps_.size());
    if (whole && all != 0) fenced->own.warps[w.index] = std::max(fenced->own.warps[w.index], all);
    for (unsigned l = 0; l < kLanes; ++l) {
      if ((lanes >> l & 1) != 0 && own[l] != 0) fenced->own.learn(w.index * kLanes + l, own[l]);
    }
    to.fenced[k] = std::move(fenced);
  }
}

void BlockRaces::sync_lanes(Warp& w, std::uint32_t lanes) {
  WarpState& s = warps_[w.index];
  const bool whole = (w.live & ~lanes) == 0;
  std::shared_ptr<View> to;
  if (s.uniform) {
    to = whole && s.common.use_count() == 1 ? s.common : std::make_shared<View>(*s.common);
  } else {
    to = std::make_shared<View>();
    for (std::uint32_t left = lanes; left != 0; left &= left - 1)
      to->join(*s.lane[static_cast<unsigned>(__builtin_ctz(left))]);
  }
  add_own_fences(w, lanes, *to);
  if (whole) {
    to->own.warps[w.index] = now_;
  } else {
    for (std::uint32_t left = lanes; left != 0; left &= left - 1)
      to->own.learn(w.index * kLanes + static_cast<std::uint32_t>(__builtin_ctz(left)), now_);
  }
  assign(w, lanes, to);
  advance();
}

void BlockRaces::arrive(Warp& w, std::uint32_t lanes, std::uint32_t barrier) {
  Arrivals& a = arrivals_[barrier];
  if (!a.view) {
    a.view = std::make_shared<View>();
    a.view->own.warps.resize(warps_.size());
  }
  const WarpState& s = warps_[w.index];
  const auto include = [&](const std::shared_ptr<View>& v) {
    if (v == a.last) return;
    a.view->join(*v);
    a.last = v;
  };
  if (s.uniform) {
    include(s.common);
  } else {
    for (std::uint32_t left = lanes; left != 0; left &= left - 1)
      include(s.lane[static_cast<unsigned>(__builtin_ctz(left))]);
  }
  add_own_fences(w, lanes, *a.view);
  if ((w.live & ~lanes) == 0) {
    a.view->own.warps[w.index] = now_;
  } else {
    for (std::uint32_t left = lanes; left != 0; left &= left - 1)
      a.view->own.learn(w.index * kLanes + static_cast<std::uint32_t>(__builtin_ctz(left)), now_);
  }
}

void BlockRaces::complete(std::uint32_t barrier, bool all) {
  Arrivals& a = arrivals_[barrier];
  if (!a.view) return;
  BlockSeen& own = a.view->own;
  for (const Warp& w : block_.warps) {
    // Lanes that arrived one by one, and threads that have ended: nothing of theirs is to come.
    Stamp together = now_;
    for (std::uint32_t left = w.live; left != 0; left &= left - 1) {
      const std::uint32_t thread =
          w.index * kLanes + static_cast<std::uint32_t>(__builtin_ctz(left));
      const auto at = std::find_if(own.lanes.begin(), own.lanes.end(),
                                   [&](const BlockSeen::Lane& l) { return l.thread == thread; });
      together = at == own.lanes.end() ? 0 : std::min(together, at->until);
      if (together == 0) break;
    }
    if (w.live == 0 && !all) continue;
    own.warps[w.index] = std::max(own.warps[w.index], together);
  }
  std::erase_if(own.lanes,
                [&](const BlockSeen::Lane& l) { return l.until <= own.warps[l.thread / kLanes]; });
  if (all) shared_dead_ = now_ + 2;
  advance();
}

void BlockRaces::pass(Warp& w, std::uint32_t lanes, std::uint32_t barrier) {
  if (arrivals_[barrier].view) assign(w, lanes, arrivals_[barrier].view);
}

}  // namespace kw::ptxvm

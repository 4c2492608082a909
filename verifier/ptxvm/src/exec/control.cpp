#include "exec/control.h"

#include <algorithm>

#include "exec/block.h"
#include "exec/context.h"

namespace kw::ptxvm {
namespace {

std::int32_t new_join(Warp& w, std::int32_t block) {
  WarpControl& c = *w.control;
  std::int32_t index;
  if (c.free_joins.empty()) {
    index = static_cast<std::int32_t>(c.joins.size());
    c.joins.emplace_back();
  } else {
    index = c.free_joins.back();
    c.free_joins.pop_back();
  }
  c.joins[static_cast<std::size_t>(index)] = {w.join, block, w.mask, 0};
  return index;
}

void free_join(WarpControl& c, std::int32_t index) {
  c.joins[static_cast<std::size_t>(index)].block = -2;
  c.free_joins.push_back(index);
}

void set_join(Warp& w, std::int32_t join) {
  w.join = join;
  w.join_block = join < 0 ? -1 : w.control->joins[static_cast<std::size_t>(join)].block;
}

const Ins* block_begin(const Warp& w, std::int32_t block) { return w.code + w.block_start[block]; }

// Takes lanes out of every join from `join` up to, not including, `stop`: they will not come. Joins
// left with nobody to wait for release the lanes that have arrived.
void leave_joins(Warp& w, std::uint32_t lanes, std::int32_t join, std::int32_t stop) {
  WarpControl& c = *w.control;
  while (join != stop && join >= 0) {
    Join& j = c.joins[static_cast<std::size_t>(join)];
    const std::int32_t parent = j.parent;
    j.expected &= ~lanes;
    j.arrived &= ~lanes;
    if (j.expected == j.arrived) {
      if (j.arrived != 0) c.ready.push_back({block_begin(w, j.block), j.arrived, parent});
      free_join(c, join);
    }
    join = parent;
  }
}

std::int32_t common_ancestor(const WarpControl& c, std::int32_t a, std::int32_t b) {
  for (; a >= 0; a = c.joins[static_cast<std::size_t>(a)].parent) {
    for (std::int32_t k = b; k >= 0; k = c.joins[static_cast<std::size_t>(k)].parent) {
      if (a == k) return a;
    }
  }
  return -1;
}

// Lanes that wait at joins for others that spin or wait for them go on by themselves.
void release_waiting_lanes(Warp& w) {
  WarpControl& c = *w.control;
  for (std::size_t i = 0; i < c.joins.size(); ++i) {
    const Join j = c.joins[i];
    if (j.block < 0 || j.arrived == 0) continue;
    c.joins[i].expected &= ~j.arrived;
    c.joins[i].arrived = 0;
    c.ready.push_back({block_begin(w, j.block), j.arrived, j.parent});
  }
}

// No split can run. Lanes that are waited for by name, or at a barrier that need not be reached
// together, may stand at joins.
void release_awaited_lanes(Warp& w) {
  const bool awaited =
      std::any_of(w.control->parked.begin(), w.control->parked.end(),
                  [](const Parked& p) { return p.reason == Parked::Reason::Lanes || p.counted; });
  if (awaited) release_waiting_lanes(w);
}

bool all_are_here(const Warp& w, const Parked& p, std::uint32_t here) {
  return (p.needed & w.live & ~here) == 0;
}

// Lanes at several bar.warp.sync that name the same lanes go on when those have all come.
void meet_anywhere(Warp& w, std::uint32_t needed) {
  WarpControl& c = *w.control;
  const auto belongs = [&](const Parked& p) { return p.anywhere && p.needed == needed; };
  std::uint32_t here = 0;
  for (const Parked& p : c.parked) here |= belongs(p) ? p.split.mask : 0;
  if ((needed & w.live & ~here) != 0) return;
  for (Parked& p : c.parked) {
    if (belongs(p)) c.ready.push_back({p.split.resume + 1, p.split.mask, p.split.join});
  }
  std::erase_if(c.parked, belongs);
  if (w.races != nullptr) w.block->races->sync_lanes(w, here);
}

}  // namespace

void set_running(Warp& w, const Split& split) {
  w.mask = split.mask;
  set_join(w, split.join);
}

const Ins* next_split(Warp& w) {
  WarpControl& c = *w.control;
  if (c.ready.empty() && !c.parked.empty()) release_awaited_lanes(w);
  if (c.ready.empty()) {
    w.mask = 0;
    w.resume = nullptr;
    w.stop = Stop::Blocked;
    return nullptr;
  }
  const Split split = c.ready.back();
  c.ready.pop_back();
  set_running(w, split);
  return split.resume;
}

const Ins* diverge(Warp& w, const Ins* ins, std::uint32_t taken) {
  WarpControl& c = *w.control;
  ++c.divergent_branches;
  const auto meet = static_cast<std::int32_t>(ins->y);
  const Ins* target = w.code + ins->x;
  const Ins* fall = ins + 1;
  const std::uint32_t rest = w.mask & ~taken;
  if (meet >= 0 && meet != w.join_block) set_join(w, new_join(w, meet));
  const Ins* meeting = meet < 0 ? nullptr : block_begin(w, meet);
  if (target == meeting) {
    c.joins[static_cast<std::size_t>(w.join)].arrived |= taken;
    w.mask = rest;
    return fall;
  }
  if (fall == meeting) {
    c.joins[static_cast<std::size_t>(w.join)].arrived |= rest;
    w.mask = taken;
    return target;
  }
  if (w.reverse_lanes) {
    c.ready.push_back({fall, rest, w.join});
    w.mask = taken;
    return target;
  }
  c.ready.push_back({target, taken, w.join});
  w.mask = rest;
  return fall;
}

void part(Warp& w, std::uint32_t lanes, const Ins* target, std::int32_t meet) {
  if (meet >= 0 && meet != w.join_block) {
    ++w.control->divergent_branches;
    set_join(w, new_join(w, meet));
  }
  if (meet >= 0 && target == block_begin(w, meet)) {
    w.control->joins[static_cast<std::size_t>(w.join)].arrived |= lanes;
  } else {
    w.control->ready.push_back({target, lanes, w.join});
  }
  w.mask &= ~lanes;
}

const Ins* arrive_at_join(Warp& w, const Ins* ins) {
  WarpControl& c = *w.control;
  const auto here = static_cast<std::int32_t>(ins->x);
  while (w.join_block == here) {
    Join& j = c.joins[static_cast<std::size_t>(w.join)];
    j.arrived |= w.mask;
    if (j.arrived != j.expected) return next_split(w);
    w.mask = j.arrived;
    const std::int32_t done = w.join;
    set_join(w, j.parent);
    free_join(c, done);
  }
  return ins + 1;
}

void end_lanes(Warp& w, std::uint32_t lanes) {
  w.live &= ~lanes;
  w.mask &= ~lanes;
  leave_joins(w, lanes, w.join, -1);
  WarpControl& c = *w.control;
  const auto complete = [&](const Parked& p) {
    return p.reason == Parked::Reason::Lanes && all_are_here(w, p, p.split.mask);
  };
  for (const Parked& p : c.parked) {  // again, from the instruction itself
    if (complete(p)) c.ready.push_back(p.split);
  }
  std::erase_if(c.parked, complete);
  w.block->threads_ended(static_cast<unsigned>(__builtin_popcount(lanes)));
}

std::uint32_t merge_parked(Warp& w, const Ins* at, std::uint32_t lanes) {
  WarpControl& c = *w.control;
  const auto first = std::find_if(c.parked.begin(), c.parked.end(), [&](const Parked& p) {
    return p.at == at && (p.split.mask & lanes) != 0;
  });
  if (first == c.parked.end()) return 0;
  const auto index = static_cast<std::size_t>(first - c.parked.begin());
  for (std::size_t i = index + 1; i < c.parked.size();) {
    if (c.parked[i].at != at || c.parked[i].counted || (c.parked[i].split.mask & lanes) == 0) {
      ++i;
      continue;
    }
    const Split other = c.parked[i].split;
    c.parked[index].needed |= c.parked[i].needed;
    Split& mine = c.parked[index].split;
    c.parked.erase(c.parked.begin() + static_cast<std::ptrdiff_t>(i));
    const std::int32_t meet = common_ancestor(c, mine.join, other.join);
    leave_joins(w, mine.mask, mine.join, meet);
    leave_joins(w, other.mask, other.join, meet);
    mine.mask |= other.mask;
    mine.join = meet;
  }
  return c.parked[index].split.mask;
}

bool must_wait_for_lanes(Warp& w, const Ins* ins, std::uint32_t needed, const Ins** next,
                         bool anywhere) {
  if ((needed & w.live & ~w.mask) == 0 || w.force == ins) {
    w.force = nullptr;
    return false;
  }
  WarpControl& c = *w.control;
  c.parked.push_back(
      {{ins, w.mask, w.join}, ins, needed, 0, Parked::Reason::Lanes, false, anywhere});
  // Only those named: lanes of another group at the same instruction wait for lanes of their own.
  const std::uint32_t together = merge_parked(w, ins, needed | w.mask);
  const auto mine = std::find_if(c.parked.begin(), c.parked.end(), [&](const Parked& p) {
    return p.at == ins && (p.split.mask & together) != 0;
  });
  if (all_are_here(w, *mine, together)) {
    const Split split = mine->split;
    c.parked.erase(mine);
    set_running(w, split);
    return false;
  }
  if (anywhere) meet_anywhere(w, needed);
  *next = next_split(w);
  return true;
}

bool must_wait_for_warp(Warp& w, const Ins* ins, const Ins** next) {
  const bool reported = w.force == ins;
  if (must_wait_for_lanes(w, ins, kFullMask, next)) return true;
  if (w.mask == kFullMask || reported) return false;
  RawFinding finding;
  finding.kind = FindingKind::WarpDivergence;
  finding.ins = ins;
  finding.message = fmt::format(
      "only lanes {:#010x} execute this, which needs all 32 lanes of the warp; the others have "
      "ended or do not exist",
      w.mask);
  w.block->worker->report(w, static_cast<unsigned>(__builtin_ctz(w.mask)), std::move(finding));
  return false;
}

void report_not_members(Warp& w, const Ins* ins, std::uint32_t lanes) {
  RawFinding finding;
  finding.kind = FindingKind::WarpDivergence;
  finding.ins = ins;
  finding.message =
      fmt::format("lanes {:#010x} execute this, and their member mask does not name them", lanes);
  w.block->worker->report(w, static_cast<unsigned>(__builtin_ctz(lanes)), std::move(finding));
}

const Ins* out_of_fuel(Warp& w, const Ins* resume) {
  WarpControl& c = *w.control;
  c.ready.insert(c.ready.begin(), Split{resume, w.mask, w.join});
  constexpr unsigned kPatience = 4;
  bool waiting = false;
  for (const Join& j : c.joins) waiting |= j.block >= 0 && j.arrived != 0;
  c.starved_turns = waiting ? c.starved_turns + 1 : 0;
  if (c.starved_turns > kPatience) {
    release_waiting_lanes(w);
    c.starved_turns = 0;
  }
  w.mask = 0;
  w.resume = nullptr;
  w.stop = Stop::OutOfFuel;
  return nullptr;
}

}  // namespace kw::ptxvm

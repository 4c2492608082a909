// Block barriers: arriving, completing, and telling a barrier that never will.

#include <algorithm>
#include <cstring>

#include "exec/block.h"
#include "exec/context.h"
#include "exec/operands.h"

namespace kw::ptxvm {

void Block::count_arrival(Warp& w, Parked& p) {
  Barrier& b = barriers[p.barrier];
  p.counted = true;
  b.used = barriers_used = true;
  if (races) races->arrive(w, p.split.mask, p.barrier);
  // A barrier with a thread count counts whole warps (PTX ISA, "bar").
  const bool whole_warp = b.expected != 0 && (p.at->z & BarrierBits::kAligned) != 0;
  b.arrived += whole_warp ? kLanes : static_cast<std::uint32_t>(__builtin_popcount(p.split.mask));
  if (p.at->x >= static_cast<std::uint32_t>(BarrierKind::RedPopc)) {
    std::uint32_t predicate = *operand<std::uint32_t>(w, p.at->c);
    if ((p.at->z & BarrierBits::kNegated) != 0) predicate = ~predicate;
    b.votes += static_cast<std::uint32_t>(__builtin_popcount(predicate & p.split.mask));
  }
}

const Ins* Block::wait_at_barrier(Warp& w, const Ins* ins) {
  const auto lane = static_cast<unsigned>(__builtin_ctz(w.mask));
  const std::uint32_t number = operand<std::uint32_t>(w, ins->a)[lane];
  const bool aligned = (ins->z & BarrierBits::kAligned) != 0;
  const std::uint32_t count =
      (ins->z & BarrierBits::kCounted) != 0 ? operand<std::uint32_t>(w, ins->b)[lane] : 0;
  const bool counted = (ins->z & BarrierBits::kCounted) != 0;
  if (number >= barriers.size() || (counted && (count == 0 || count % kLanes != 0))) {
    RawFinding finding;
    finding.kind = FindingKind::BarrierDivergence;
    finding.ins = ins;
    finding.message = fmt::format(
        "barrier {} with thread count {}: the number must be below 16 and the count a "
        "positive multiple of 32",
        number, count);
    worker->report(w, lane, std::move(finding));
    w.stop = Stop::Fatal;
    return nullptr;
  }
  Barrier& b = barriers[number];
  const std::uint32_t expected = counted ? count : 0;
  if (b.used && b.expected != expected) {
    RawFinding finding;
    finding.kind = FindingKind::BarrierDivergence;
    finding.ins = ins;
    finding.message = fmt::format(
        "barrier {} is awaited with {} here, with {} by threads that came before", number,
        expected == 0 ? std::string("all threads") : fmt::format("{} threads", expected),
        b.expected == 0 ? std::string("all threads") : fmt::format("{} threads", b.expected));
    worker->report(w, lane, std::move(finding));
  }
  b.expected = expected;
  if (ins->x == static_cast<std::uint32_t>(BarrierKind::Arrive)) {
    b.used = barriers_used = true;
    if (races) races->arrive(w, w.mask, number);
    b.arrived += aligned ? kLanes : static_cast<std::uint32_t>(__builtin_popcount(w.mask));
    complete_barriers();
    return ins + 1;
  }
  WarpControl& c = *w.control;
  c.parked.push_back({{ins + 1, w.mask, w.join}, ins, 0, number, Parked::Reason::Barrier, false});
  if (!aligned) {
    count_arrival(w, c.parked.back());
  } else if (merge_parked(w, ins) == w.live) {
    const auto mine = std::find_if(c.parked.begin(), c.parked.end(),
                                   [&](const Parked& p) { return p.at == ins; });
    count_arrival(w, *mine);
  }
  complete_barriers();
  return next_split(w);
}

bool Block::complete_barriers() {
  barriers_dirty = false;
  if (!barriers_used) return false;
  bool any = false;
  for (std::uint32_t i = 0; i < barriers.size(); ++i) {
    const Barrier& b = barriers[i];
    if (!b.used) continue;
    const std::uint32_t expected = b.expected != 0 ? b.expected : live_threads;
    if (b.arrived < expected) continue;
    release(i);
    any = true;
  }
  return any;
}

void Block::release(std::uint32_t number) {
  const Barrier b = barriers[number];
  barriers[number] = {};
  ++barriers_completed;
  if (--until_look_ == 0) look_for_complete_shared();
  if (races) races->complete(number, b.expected == 0);
  for (Warp& w : warps) {
    std::vector<Parked>& parked = w.control->parked;
    for (std::size_t i = 0; i < parked.size();) {
      const Parked p = parked[i];
      if (p.reason != Parked::Reason::Barrier || p.barrier != number || !p.counted) {
        ++i;
        continue;
      }
      const auto kind = static_cast<BarrierKind>(p.at->x);
      if (kind == BarrierKind::RedPopc) {
        std::uint32_t* d = operand<std::uint32_t>(w, p.at->d);
        for (unsigned l = 0; l < kLanes; ++l) {
          if ((p.split.mask >> l & 1) != 0) d[l] = b.votes;
        }
      } else if (kind == BarrierKind::RedAnd || kind == BarrierKind::RedOr) {
        const bool value = kind == BarrierKind::RedAnd ? b.votes == b.arrived : b.votes != 0;
        std::uint32_t& d = *operand<std::uint32_t>(w, p.at->d);
        d = (d & ~p.split.mask) | (value ? p.split.mask : 0);
      }
      if (races) races->pass(w, p.split.mask, number);
      w.control->ready.push_back(p.split);
      parked.erase(parked.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  if (races) races->forget(number);
}

// Once all of shared memory is written, nothing need be marked or checked any more.
void Block::look_for_complete_shared() {
  if (!context.options->check_uninitialised || warps.front().shared.complete) return;
  look_every_ = std::min(2 * look_every_, 1u << 16);
  until_look_ = look_every_;
  if (std::memchr(shared_initialised_.data(), 0, context.shared_bytes) != nullptr) return;
  for (Warp& w : warps) w.shared.complete = true;
}

bool Block::resolve_standstill() {
  bool progress = false;
  // Aligned barriers whose missing lanes have ended meanwhile.
  for (Warp& w : warps) {
    for (std::size_t i = 0; i < w.control->parked.size(); ++i) {
      Parked& p = w.control->parked[i];
      if (p.reason == Parked::Reason::Barrier && !p.counted && p.split.mask == w.live) {
        count_arrival(w, p);
        progress = true;
      }
    }
  }
  if (complete_barriers()) return true;
  if (progress) return resolve_standstill();
  // .sync operations whose lanes will never come: report, then run them with the lanes present.
  for (Warp& w : warps) {
    std::vector<Parked>& parked = w.control->parked;
    const auto p = std::find_if(parked.begin(), parked.end(),
                                [](const Parked& q) { return q.reason == Parked::Reason::Lanes; });
    if (p == parked.end()) continue;
    RawFinding finding;
    finding.kind = FindingKind::WarpDivergence;
    finding.ins = p->at;
    finding.message = fmt::format(
        "lanes {:#010x} execute this, but it names lanes {:#010x}, which never arrive together",
        p->split.mask, p->needed & w.live);
    worker->report(w, static_cast<unsigned>(__builtin_ctz(p->split.mask)), std::move(finding));
    w.force = p->at;
    w.control->ready.push_back(p->split);
    parked.erase(p);
    progress = true;
  }
  if (progress) return true;
  for (Warp& w : warps) {
    for (const Parked& p : w.control->parked) {
      RawFinding finding;
      finding.kind = FindingKind::BarrierDivergence;
      finding.ins = p.at;
      const Barrier& b = barriers[p.barrier];
      finding.message =
          p.counted ? fmt::format("barrier {} never completes: {} of {} threads arrived", p.barrier,
                                  b.arrived, b.expected != 0 ? b.expected : live_threads)
                    : fmt::format("only lanes {:#010x} of the warp's {:#010x} reach this barrier",
                                  p.split.mask, w.live);
      worker->report(w, static_cast<unsigned>(__builtin_ctz(p.split.mask)), std::move(finding));
    }
  }
  return false;
}

}  // namespace kw::ptxvm

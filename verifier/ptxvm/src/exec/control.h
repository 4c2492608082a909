#pragma once
// Divergence, reconvergence and waiting.
//
// The lanes of a warp form splits that each have a place in the code. Where lanes part, a join is
// made at the branch's immediate post-dominator; lanes that reach it wait there for the others,
// then go on together. Joins form a tree, and any split may run, so that lanes waiting for one
// another in a loop make progress: a split that used up its turn goes behind the others, and a warp
// that keeps using up its turns while lanes wait at joins lets those lanes go on alone. So does one
// whose other lanes all wait at a barrier or for lanes that they name.

#include <cstdint>
#include <vector>

#include "exec/copy_queue.h"
#include "exec/warp.h"

namespace kw::ptxvm {

struct Join {
  std::int32_t parent;
  std::int32_t block;      // basic block where lanes meet; -2: free
  std::uint32_t expected;  // lanes that belong here and have not ended
  std::uint32_t arrived;
};

struct Parked {
  enum class Reason : std::uint8_t { Lanes, Barrier };
  Split split;  // resume: the instruction itself (Lanes) or the next one (Barrier)
  const Ins* at;
  std::uint32_t needed;   // Lanes: lanes that must come, unless they have ended
  std::uint32_t barrier;  // Barrier: its number
  Reason reason;
  bool counted;           // Barrier: arrival has been counted
  bool anywhere = false;  // Lanes: they may come to another instruction that names the same lanes
};

/// The parts of a warp's state that are not touched on every instruction.
struct WarpControl {
  std::vector<Split> ready;
  std::vector<Parked> parked;
  std::vector<Join> joins;
  std::vector<std::int32_t> free_joins;
  std::uint64_t divergent_branches = 0;
  std::uint64_t matrix_multiply_adds = 0;
  unsigned starved_turns = 0;  // turns in a row that ran out of fuel while lanes waited at joins
  CopyQueue copies;
  std::uint32_t committed[kLanes] = {};
  bool has_committed = false;   // some lane has
  bool committed_alike = true;  // all lanes the same number of groups

  /// As new, but keeps the vectors' memory.
  void reset() {
    ready.clear();
    parked.clear();
    joins.clear();
    free_joins.clear();
    copies.clear();
    divergent_branches = matrix_multiply_adds = 0;
    starved_turns = 0;
    if (has_committed) {
      for (std::uint32_t& groups : committed) groups = 0;
    }
    has_committed = false;
    committed_alike = true;
  }
};

/// The next ready split of the warp: loads it and returns where it runs; nullptr (Stop::Blocked) if
/// there is none.
const Ins* next_split(Warp& w);

/// At a branch that only `taken` lanes take.
const Ins* diverge(Warp& w, const Ins* ins, std::uint32_t taken);
/// One new split for `lanes` at `target`; used by brx.idx, which calls it once per distinct target.
void part(Warp& w, std::uint32_t lanes, const Ins* target, std::int32_t block);

/// The running split is at block `block`, where its join is.
const Ins* arrive_at_join(Warp& w, const Ins* ins);

/// The lanes have ended; whoever waited only for them goes on.
void end_lanes(Warp& w, std::uint32_t lanes);

/// Called first by .sync operations: nullptr if all lanes of `needed` that are alive are running
/// here, otherwise parks the split; *next is where to go on then.
/// anywhere: of bar.warp.sync, which the lanes may meet at several places; all must name `needed`.
bool must_wait_for_lanes(Warp& w, const Ins* ins, std::uint32_t needed, const Ins** next,
                         bool anywhere = false);

/// The same for operations of the whole warp, which no lane may miss, not even one that has ended.
bool must_wait_for_warp(Warp& w, const Ins* ins, const Ins** next);

/// Reports that `lanes` execute a .sync operation whose member mask does not name them.
void report_not_members(Warp& w, const Ins* ins, std::uint32_t lanes);

/// Merges the parked splits at one instruction that have any of `lanes` into the first one's place;
/// returns their common lanes.
std::uint32_t merge_parked(Warp& w, const Ins* at, std::uint32_t lanes = kFullMask);

/// Gives the turn to the other splits (the running one goes behind them).
const Ins* out_of_fuel(Warp& w, const Ins* resume);

void set_running(Warp& w, const Split& split);

/// Carries out all asynchronous copies of these lanes that are still pending
/// (handlers/async_copy.cpp).
void finish_copies(Warp& w, std::uint32_t lanes);

}  // namespace kw::ptxvm

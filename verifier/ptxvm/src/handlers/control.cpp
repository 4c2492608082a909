// Control flow, barriers and what stops a block. Built once: nothing here is about speed per lane.

#include "exec/control.h"

#include "exec/context.h"
#include "exec/operands.h"
#include "handlers/families.h"
#include "handlers/next.h"

namespace kw::ptxvm::baseline {
namespace {

// Begin of a basic block: x its number, y its instructions.
const Ins* block_begin(Warp& w, const Ins* ins) {
  if (w.fuel <= 0) return out_of_fuel(w, ins);
  w.fuel -= ins->y;
  BlockCount& count = w.counts[ins->x];
  count.warps += 1;
  count.lanes += w.mask == kFullMask ? kLanes : static_cast<unsigned>(__builtin_popcount(w.mask));
  KW_NEXT;
}

// Before block_begin where lanes may meet: x the block's number.
const Ins* join(Warp& w, const Ins* ins) {
  if (w.join_block == static_cast<std::int32_t>(ins->x)) return arrive_at_join(w, ins);
  KW_NEXT;
}

const Ins* branch(Warp& w, const Ins* ins) { KW_GO_TO(w.code + ins->x); }

// a: predicate, z: negated, x: target instruction, y: block where the paths meet.
const Ins* branch_if(Warp& w, const Ins* ins) {
  const std::uint32_t p = *operand<std::uint32_t>(w, ins->a) ^ (ins->z != 0 ? ~0u : 0u);
  const std::uint32_t taken = p & w.mask;
  if (taken == w.mask) KW_GO_TO(w.code + ins->x);
  if (taken == 0) KW_NEXT;
  return diverge(w, ins, taken);
}

// a: index, extra: x targets (instruction numbers), y: block where the paths meet.
const Ins* branch_table(Warp& w, const Ins* ins) {
  const std::uint32_t* index = operand<std::uint32_t>(w, ins->a);
  const std::uint32_t* targets = w.extra + ins->extra;
  while (w.mask != 0) {
    const auto lane = static_cast<unsigned>(__builtin_ctz(w.mask));
    std::uint32_t same = 0;
    for (unsigned l = lane; l < kLanes; ++l) {
      if ((w.mask >> l & 1) != 0 && index[l] == index[lane]) same |= 1u << l;
    }
    if (index[lane] >= ins->x) {
      RawFinding finding;
      finding.kind = FindingKind::Trap;
      finding.ins = ins;
      finding.message =
          fmt::format("branch index {} outside the table of {} targets", index[lane], ins->x);
      w.block->worker->report(w, lane, std::move(finding));
      w.stop = Stop::Fatal;
      return nullptr;
    }
    const Ins* target = w.code + targets[index[lane]];
    if (same == w.mask) return target;
    part(w, same, target, static_cast<std::int32_t>(ins->y));
  }
  return next_split(w);
}

// The active lanes end; with a predicate in a (z & 1: there is one, z & 2: negated) only those.
const Ins* exit_lanes(Warp& w, const Ins* ins) {
  std::uint32_t lanes = w.mask;
  if ((ins->z & 1) != 0)
    lanes &= *operand<std::uint32_t>(w, ins->a) ^ ((ins->z & 2) != 0 ? ~0u : 0u);
  if (lanes == 0) return ins + 1;
  finish_copies(w, lanes);
  end_lanes(w, lanes);
  return w.mask != 0 ? ins + 1 : next_split(w);
}

// Around a predicated instruction: a predicate, z negated, x the instruction after it.
const Ins* guard(Warp& w, const Ins* ins) {
  w.unguarded_mask = w.mask;
  w.mask &= *operand<std::uint32_t>(w, ins->a) ^ (ins->z != 0 ? ~0u : 0u);
  if (w.mask != 0) KW_NEXT;
  w.mask = w.unguarded_mask;
  KW_GO_TO(w.code + ins->x);
}
const Ins* unguard(Warp& w, const Ins* ins) {
  w.mask = w.unguarded_mask;
  KW_NEXT;
}

const Ins* barrier(Warp& w, const Ins* ins) { return w.block->wait_at_barrier(w, ins); }

const Ins* stop_with(Warp& w, const Ins* ins, FindingKind kind, const char* message) {
  RawFinding finding;
  finding.kind = kind;
  finding.ins = ins;
  finding.message = message;
  w.block->worker->report(w, static_cast<unsigned>(__builtin_ctz(w.mask)), std::move(finding));
  w.stop = Stop::Fatal;
  return nullptr;
}
const Ins* trap(Warp& w, const Ins* ins) {
  return stop_with(w, ins, FindingKind::Trap, "the kernel executed a trap");
}
const Ins* failed_assert(Warp& w, const Ins* ins) {
  return stop_with(w, ins, FindingKind::AssertFailed, "a device assertion failed");
}
const Ins* no_function(Warp& w, const Ins* ins) {
  return stop_with(w, ins, FindingKind::InvalidAddress,
                   "a call through a pointer to no function of this module with such parameters");
}
const Ins* recursion(Warp& w, const Ins* ins) {
  const Instruction& call = *w.block->context.kernel->sources[ins->source];
  throw NotRunnable{
      Error{Errc::Unsupported,
            fmt::format("{} at PTX line {}: a recursive call through a register is not "
                        "supported",
                        call.opcode, call.ptx_line)}};
}

// z: 1 if wider than the block.
const Ins* fence(Warp& w, const Ins* ins) {
  if (w.races != nullptr) w.block->races->fence(w, ins->z != 0);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return ins + 1;
}
const Ins* nothing(Warp&, const Ins* ins) { return ins + 1; }

// nanosleep: the rest of the turn goes to other warps.
const Ins* sleep(Warp& w, const Ins* ins) {
  if (w.fuel > 0) w.fuel = 0;
  return ins + 1;
}

}  // namespace

void register_control(Registry& r) {
  r.add("$block", block_begin, {});
  r.add("$join", join, {});
  r.add("$bra", branch, {});
  r.add("$bra.if", branch_if, {0, 1, 0, 0});
  r.add("$brx", branch_table, {0, 4, 0, 0});
  r.add("$exit", exit_lanes, {0, 1, 0, 0});
  r.add("$guard", guard, {0, 1, 0, 0});
  r.add("$unguard", unguard, {});
  r.add("$bar", barrier, {});
  r.add("$trap", trap, {});
  r.add("$assert", failed_assert, {});
  r.add("$nofunction", no_function, {});
  r.add("$recursion", recursion, {});
  r.add("$fence", fence, {});
  r.add("$nop", nothing, {});
  r.add("$sleep", sleep, {});
}

}  // namespace kw::ptxvm::baseline

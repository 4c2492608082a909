#include "handlers/lane_values.h"

#include <cstring>

#include "exec/context.h"
#include "exec/operands.h"
#include "handlers/families.h"
#include "handlers/next.h"
#include "ir/special.h"

namespace kw::ptxvm {

std::uint32_t launch_wide_value(const LaunchContext& c, SpecialRegister which, std::uint32_t lane) {
  const std::uint32_t bit = 1u << lane;
  switch (which) {
    case SpecialRegister::NtidX:
      return c.block.x;
    case SpecialRegister::NtidY:
      return c.block.y;
    case SpecialRegister::NtidZ:
      return c.block.z;
    case SpecialRegister::NctaidX:
      return c.grid.x;
    case SpecialRegister::NctaidY:
      return c.grid.y;
    case SpecialRegister::NctaidZ:
      return c.grid.z;
    case SpecialRegister::LaneId:
      return lane;
    case SpecialRegister::LaneMaskEq:
      return bit;
    case SpecialRegister::LaneMaskLe:
      return bit | (bit - 1);
    case SpecialRegister::LaneMaskLt:
      return bit - 1;
    case SpecialRegister::LaneMaskGe:
      return ~(bit - 1);
    case SpecialRegister::LaneMaskGt:
      return ~(bit | (bit - 1));
    default:
      return 0;
  }
}

namespace baseline {
namespace {

// The same in all lanes.
std::uint32_t warp_value(const Warp& w, SpecialRegister which) {
  const LaunchContext& c = w.block->context;
  switch (which) {
    case SpecialRegister::CtaidX:
      return w.block->id.x;
    case SpecialRegister::CtaidY:
      return w.block->id.y;
    case SpecialRegister::CtaidZ:
      return w.block->id.z;
    case SpecialRegister::WarpId:
      return w.index;
    case SpecialRegister::NWarpId:
      return static_cast<std::uint32_t>(w.block->warps.size());
    case SpecialRegister::NSmId:
    case SpecialRegister::One:
      return 1;
    case SpecialRegister::GridId:
      return static_cast<std::uint32_t>(c.grid_id);
    case SpecialRegister::Clock:
    case SpecialRegister::GlobalTimerLo:
      return static_cast<std::uint32_t>(w.block->executed + w.block->turn_used(w));
    case SpecialRegister::ClockHi:
    case SpecialRegister::GlobalTimerHi:
      return static_cast<std::uint32_t>((w.block->executed + w.block->turn_used(w)) >> 32);
    case SpecialRegister::DynamicShared:
      return c.dynamic_shared_bytes;
    case SpecialRegister::TotalShared:
      return c.shared_bytes;
    case SpecialRegister::GridBarrierLow:
      return static_cast<std::uint32_t>(c.grid_barrier);
    case SpecialRegister::GridBarrierHigh:
      return static_cast<std::uint32_t>(c.grid_barrier >> 32);
    default:
      return 0;  // %smid, zeros
  }
}

// x: which.
const Ins* special(Warp& w, const Ins* ins) {
  auto* d = operand<std::uint32_t>(w, ins->d);
  const auto which = static_cast<SpecialRegister>(ins->x);
  if (which <= SpecialRegister::TidZ && w.mask == kFullMask) {
    std::memcpy(d, w.tid[ins->x], sizeof w.tid[0]);
    KW_NEXT;
  }
  alignas(64) std::uint32_t values[kLanes];
  const std::uint32_t* from = values;
  if (which <= SpecialRegister::TidZ) {
    from = w.tid[ins->x];
  } else if (is_launch_wide(which)) {
    for (unsigned l = 0; l < kLanes; ++l) values[l] = launch_wide_value(w.block->context, which, l);
  } else {
    const std::uint32_t same = warp_value(w, which);
    for (unsigned l = 0; l < kLanes; ++l) values[l] = same;
  }
  if (w.mask == kFullMask) {
    std::memcpy(d, from, sizeof values);
  } else {
    for (unsigned l = 0; l < kLanes; ++l) d[l] = (w.mask >> l & 1) != 0 ? from[l] : d[l];
  }
  KW_NEXT;
}

// Clocks count the block's instructions (the turn's so far included): they advance, are the same in
// every run, and are no time.
std::uint64_t clock_value(const Warp& w) { return w.block->executed + w.block->turn_used(w); }

const Ins* clock(Warp& w, const Ins* ins) {
  auto* d = operand<std::uint64_t>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) != 0) d[l] = clock_value(w);
  }
  return ins + 1;
}

}  // namespace

void register_lane_values(Registry& r) {
  r.add("$sreg", special, {4, 0, 0, 0});
  r.add("$sreg64", clock, {8, 0, 0, 0});
}

}  // namespace baseline
}  // namespace kw::ptxvm

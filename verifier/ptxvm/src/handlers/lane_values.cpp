#include "handlers/lane_values.h"

#include <cstring>

#include "exec/context.h"
#include "exec/operands.h"
#include "handlers/families.h"

namespace kw::ptxvm::baseline {
namespace {

std::uint32_t value(const Warp& w, SpecialRegister which, std::uint32_t lane) {
  const LaunchContext& c = w.block->context;
  const Dim3& id = w.block->id;
  const std::uint32_t bit = 1u << lane;
  switch (which) {
    case SpecialRegister::TidX:
      return w.tid[0][lane];
    case SpecialRegister::TidY:
      return w.tid[1][lane];
    case SpecialRegister::TidZ:
      return w.tid[2][lane];
    case SpecialRegister::NtidX:
      return c.block.x;
    case SpecialRegister::NtidY:
      return c.block.y;
    case SpecialRegister::NtidZ:
      return c.block.z;
    case SpecialRegister::CtaidX:
      return id.x;
    case SpecialRegister::CtaidY:
      return id.y;
    case SpecialRegister::CtaidZ:
      return id.z;
    case SpecialRegister::NctaidX:
      return c.grid.x;
    case SpecialRegister::NctaidY:
      return c.grid.y;
    case SpecialRegister::NctaidZ:
      return c.grid.z;
    case SpecialRegister::LaneId:
      return lane;
    case SpecialRegister::WarpId:
      return w.index;
    case SpecialRegister::NWarpId:
      return static_cast<std::uint32_t>(w.block->warps.size());
    case SpecialRegister::SmId:
      return 0;
    case SpecialRegister::NSmId:
      return 1;
    case SpecialRegister::GridId:
      return static_cast<std::uint32_t>(c.grid_id);
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
    case SpecialRegister::Zero:
      return 0;
    case SpecialRegister::One:
      return 1;
    case SpecialRegister::Clock64:
    case SpecialRegister::GlobalTimer:
      break;
  }
  return 0;
}

const Ins* special(Warp& w, const Ins* ins) {
  auto* d = operand<std::uint32_t>(w, ins->d);
  const auto which = static_cast<SpecialRegister>(ins->x);
  std::uint32_t values[kLanes];
  const std::uint32_t* from = values;
  if (which <= SpecialRegister::TidZ) {
    from = w.tid[ins->x];
  } else if (which == SpecialRegister::LaneId ||
             (which >= SpecialRegister::LaneMaskEq && which <= SpecialRegister::LaneMaskGt)) {
    for (unsigned l = 0; l < kLanes; ++l) values[l] = value(w, which, l);
  } else {
    const std::uint32_t same = value(w, which, 0);
    for (unsigned l = 0; l < kLanes; ++l) values[l] = same;
  }
  if (w.mask == kFullMask) {
    std::memcpy(d, from, sizeof values);
  } else {
    for (unsigned l = 0; l < kLanes; ++l) d[l] = (w.mask >> l & 1) != 0 ? from[l] : d[l];
  }
  return ins + 1;
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

}  // namespace kw::ptxvm::baseline

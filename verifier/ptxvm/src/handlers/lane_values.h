#pragma once
// Special registers, by the number that $sreg carries in Ins::x.

#include <cstdint>

namespace kw::ptxvm {

enum class SpecialRegister : std::uint32_t {
  TidX,
  TidY,
  TidZ,
  NtidX,
  NtidY,
  NtidZ,
  CtaidX,
  CtaidY,
  CtaidZ,
  NctaidX,
  NctaidY,
  NctaidZ,
  LaneId,
  WarpId,
  NWarpId,
  SmId,
  NSmId,
  GridId,
  LaneMaskEq,
  LaneMaskLe,
  LaneMaskLt,
  LaneMaskGe,
  LaneMaskGt,
  Clock,
  ClockHi,
  GlobalTimerLo,
  GlobalTimerHi,
  DynamicShared,
  TotalShared,
  GridBarrierLow,  // the address of a cooperative launch's barrier (exec/launch.cpp)
  GridBarrierHigh,
  Zero,
  One,
  // 64 bits
  Clock64,
  GlobalTimer,
};

struct LaunchContext;

/// Of a register that is the same in all warps (ir/special.h).
std::uint32_t launch_wide_value(const LaunchContext& context, SpecialRegister which,
                                std::uint32_t lane);

}  // namespace kw::ptxvm

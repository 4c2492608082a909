#include "ir/special.h"

#include <array>
#include <utility>

namespace kw::ptxvm {
namespace {

using enum SpecialRegister;
constexpr std::array<std::pair<std::string_view, SpecialRegister>, 62> kSpecial{{
    {"%tid.x", TidX},
    {"%tid.y", TidY},
    {"%tid.z", TidZ},
    {"%ntid.x", NtidX},
    {"%ntid.y", NtidY},
    {"%ntid.z", NtidZ},
    {"%ctaid.x", CtaidX},
    {"%ctaid.y", CtaidY},
    {"%ctaid.z", CtaidZ},
    {"%nctaid.x", NctaidX},
    {"%nctaid.y", NctaidY},
    {"%nctaid.z", NctaidZ},
    {"%laneid", LaneId},
    {"%warpid", WarpId},
    {"%nwarpid", NWarpId},
    {"%smid", SmId},
    {"%nsmid", NSmId},
    {"%gridid", GridId},
    {"%lanemask_eq", LaneMaskEq},
    {"%lanemask_le", LaneMaskLe},
    {"%lanemask_lt", LaneMaskLt},
    {"%lanemask_ge", LaneMaskGe},
    {"%lanemask_gt", LaneMaskGt},
    {"%clock", Clock},
    {"%clock_hi", ClockHi},
    {"%clock64", Clock64},
    {"%globaltimer", GlobalTimer},
    {"%globaltimer_lo", GlobalTimerLo},
    {"%globaltimer_hi", GlobalTimerHi},
    {"%dynamic_smem_size", DynamicShared},
    {"%total_smem_size", TotalShared},
    {"%aggr_smem_size", TotalShared},
    {"%reserved_smem_offset_begin", Zero},
    {"%reserved_smem_offset_end", Zero},
    {"%reserved_smem_offset_cap", Zero},
    // A launch without clusters is made of clusters of one block.
    {"%clusterid.x", CtaidX},
    {"%clusterid.y", CtaidY},
    {"%clusterid.z", CtaidZ},
    {"%nclusterid.x", NctaidX},
    {"%nclusterid.y", NctaidY},
    {"%nclusterid.z", NctaidZ},
    {"%cluster_ctaid.x", Zero},
    {"%cluster_ctaid.y", Zero},
    {"%cluster_ctaid.z", Zero},
    {"%cluster_nctaid.x", One},
    {"%cluster_nctaid.y", One},
    {"%cluster_nctaid.z", One},
    {"%cluster_ctarank", Zero},
    {"%cluster_nctarank", One},
    {"%tid", TidX},
    {"%ntid", NtidX},
    {"%ctaid", CtaidX},
    {"%nctaid", NctaidX},
    {"%pm0", Zero},
    {"%pm1", Zero},
    {"%pm2", Zero},
    {"%pm3", Zero},
    {"%envreg0", Zero},
    {"%envreg1", GridBarrierHigh},
    {"%envreg2", GridBarrierLow},
    {"%current_graph_exec", Zero},
    {"%tid.w", Zero},
}};

}  // namespace

std::optional<SpecialRegister> special_register(std::string_view name) {
  for (const auto& [known, which] : kSpecial) {
    if (known == name) return which;
  }
  return std::nullopt;
}

bool is_launch_wide(std::optional<SpecialRegister> which) {
  if (!which) return false;
  return (*which >= NtidX && *which <= NtidZ) || (*which >= NctaidX && *which <= LaneId) ||
         (*which >= LaneMaskEq && *which <= LaneMaskGt);
}

bool is_index(std::optional<SpecialRegister> which) {
  return which && (*which <= TidZ || (*which >= CtaidX && *which <= CtaidZ));
}

}  // namespace kw::ptxvm

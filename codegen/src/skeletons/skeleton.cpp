#include "skeletons/skeleton.h"

#include <algorithm>

namespace kw::codegen {

double cost_of(const Work& work, const Target& target) {
  // Measured on an H100: a copy moves 3.0 TB/s; plain pipes issue about half of their peak of
  // 128 instructions per SM and clock at 1.7 GHz. Other devices are scaled by their SMs.
  const double scale = static_cast<double>(target.sm_count) / 132.0;
  const double copy_bytes_per_us = 3.0e6 * scale;
  const double plain_per_us = 0.5 * 132 * 128 * 1.7e3 * scale;
  const double rate = work.operations_per_us > 0 ? work.operations_per_us : plain_per_us;
  return std::max(work.bytes / copy_bytes_per_us, work.operations / rate) +
         kLaunchUs * work.launches + kGridBarrierUs * work.grid_barriers;
}

const std::vector<const Skeleton*>& all_skeletons() {
  static const std::vector<const Skeleton*> all = {
      &window_skeleton(),     &contraction_skeleton(), &stream_skeleton(),
      &row_reduce_skeleton(), &encode_skeleton(),      &recurrence_skeleton(),
      &join_skeleton(),       &scan_skeleton(),        &fallback_skeleton()};
  return all;
}

PlanArg tensor_arg(const Program& program, TensorId tensor) {
  return BufferArg{program.tensor(tensor).name, Expr(0)};
}

}  // namespace kw::codegen

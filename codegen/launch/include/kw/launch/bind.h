#pragma once
// From a plan to numbers, and everything that can be wrong with it found before anything is
// allocated.

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "kw/core/launch_plan.h"
#include "kw/launch/bound_plan.h"

namespace kw::launch {

/// What a device can do. The defaults are what every CUDA device since sm_80 can.
struct PlanLimits {
  std::int64_t sm_count = 1;
  std::int64_t max_threads_per_block = 1024;
  std::array<std::int64_t, 3> max_block{1024, 1024, 64};
  std::array<std::int64_t, 3> max_grid{2147483647, 65535, 65535};
  std::int64_t shared_per_block = 227 * 1024;  // opt-in maximum
  std::int64_t memory_bytes = std::int64_t{80} << 30;
  std::int64_t max_cluster = 8;  // 0: no clusters
  bool tensor_maps = true;
  std::int64_t parameter_bytes = 4096;
};

struct BindOptions {
  PlanLimits limits{};
  /// Entries of the module; nullopt: not known yet, any name is taken.
  std::optional<std::set<std::string>> kernels{};
  /// Blocks of `kernel` that fit one SM; without it occupancy.<kernel> is 1.
  std::function<Result<std::int64_t>(const std::string& kernel, std::int64_t threads,
                                     std::int64_t shared_bytes)>
      occupancy{};
  /// Further symbols; they win over the plan's own.
  Symbols symbols{};
};

/// Errors are InvalidArgument with the place as a JSON pointer
/// ("/run/3/args/0/offset: 4096 is past the end of 'x' (1024 bytes)"), Unsupported for what the
/// device cannot do, ResourceExhausted for what does not fit. Checked: names, sizes, alias chains
/// and ranges; order of the DAG; extents, block, shared memory and cluster; offsets; ranges of
/// scalar arguments; that no node of ours writes an input or a weight, and that setup sees weights
/// and scratch only.
Result<BoundPlan> bind(const LaunchPlan& plan, const BindOptions& options = {});

/// bind() for its errors alone.
Status check_plan(const LaunchPlan& plan, const BindOptions& options = {});

}  // namespace kw::launch

#pragma once
// A bound plan as the tables of python/modelnew/launches.cu.

#include <string>
#include <vector>

#include "kw/launch/bound_plan.h"
#include "template.h"

namespace kw::bench {

struct LaunchTables {
  Holes holes;             // BYTES, ADDRESSES, ARGUMENTS, FILLS, STEPS
  std::vector<bool> used;  // per buffer of the plan: a step reads or writes this storage
  std::size_t launches = 0;
};

/// Fills that are due, setup nodes, run nodes: one list. Unsupported for predicates and tensor
/// maps.
Result<LaunchTables> launch_tables(const launch::BoundPlan& plan);

}  // namespace kw::bench

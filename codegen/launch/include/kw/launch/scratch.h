#pragma once
// Scratch buffers whose lives do not overlap share memory.

#include <cstdint>
#include <vector>

#include "kw/launch/bound_plan.h"

namespace kw::launch {

struct ScratchLayout {
  /// Per buffer of the plan: its offset in the workspace; -1 for what is no scratch root.
  std::vector<std::int64_t> offset;
  std::int64_t bytes = 0;
};

/// Places the largest first, each at the lowest 256-byte aligned offset where it meets no buffer
/// that is live at the same time. Liveness is what bind() saw the nodes use, widened by what the
/// plan declares: a candidate cannot shorten it.
ScratchLayout pack_scratch(const BoundPlan& plan);

}  // namespace kw::launch

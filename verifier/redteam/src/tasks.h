#pragma once
// The task families that the red team's kernels are written against.

#include <cstdint>
#include <string_view>
#include <vector>

#include "kw/core/task.h"

namespace kw::redteam {

/// "softmax", {4, 300}: extents in the order that the table in tasks.cpp gives.
Result<Task> make_task(std::string_view family, const std::vector<std::int64_t>& extents);

}  // namespace kw::redteam

#pragma once
// Tasks by name.

#include <string>
#include <string_view>
#include <vector>

#include "kw/core/task.h"

namespace kw::bench {

/// A task that ships with the product: "kernelbench:1/19", or "kernelbench:1/19@small" for the same
/// graph at sizes that judge quickly (docs/formats/small_shapes.md). An unknown name is NotFound
/// and lists the nearest known ones.
Result<Task> find_task(std::string_view name);

/// The document behind find_task(), as committed.
Result<std::string_view> find_task_json(std::string_view name);

/// Every name that find_task() knows, by level, then by number, the small variant after its
/// original.
std::vector<std::string> builtin_task_names();

}  // namespace kw::bench

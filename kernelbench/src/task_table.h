#pragma once
// The committed task documents (kernelbench/tasks/*.json), embedded at build time.

#include <span>
#include <string_view>

namespace kw::bench {

struct EmbeddedTask {
  std::string_view name;  // "level1_19" or "level1_19.small": the file without .json
  std::string_view json;
};

/// Sorted by name.
std::span<const EmbeddedTask> embedded_tasks();

}  // namespace kw::bench

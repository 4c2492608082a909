#pragma once
// Named lists of tasks.

#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw::bench {

struct Suite {
  std::string name;                // as asked for: "first41@small"
  std::string summary;             // one line
  std::vector<std::string> tasks;  // names for find_task() or the importer of formats, each once
};

/// "kernelbench20", "formats21" or "first41" (both); "level1", "level2", "level3", all of them as
/// "kernelbench250", some as "kernelbench:1,3"; with "@small" every task at its small size.
/// Format tasks are named without sizes ("format:nvfp4/gemv@small"): the importer of formats owns
/// them. NotFound lists the nearest known ones.
Result<Suite> find_suite(std::string_view name);
std::vector<std::string> suite_names();

}  // namespace kw::bench

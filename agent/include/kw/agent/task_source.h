#pragma once
// Tasks by the names people give them.

#include <string>
#include <string_view>
#include <vector>

#include "kw/core/task.h"

namespace kw::agent {

/// path/model.py (through the Python bridge; KW_PYTHON names another
/// interpreter), path/task.json, kernelbench:1/19[@small],
/// format:nvfp4/gemv[?m=1&n=4096&k=4096][@small]. `small` is what a name without "@..." means: the
/// sizes for the virtual machine. "@full" asks for the original ones.
Result<Task> load_task(const std::string& name, bool small);

/// A suite's name (kw::bench::suite_names()) gives its tasks' names, anything else itself.
std::vector<std::string> expand_suite(const std::string& name, bool small);

/// A whole file, at most `limit` bytes; errors name the path.
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace kw::agent

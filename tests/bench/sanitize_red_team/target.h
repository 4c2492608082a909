#pragma once
// What the tool looks at: a process that launches compiled cases, each buffer in an allocation of
// exactly its size.

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"
#include "kw/redteam/redteam.h"

namespace kw::redteam {

/// Where a case's cubin lies under `modules`.
std::filesystem::path module_path(const std::filesystem::path& modules, const Case& c);

/// Launches the named cases in turn and prints a line before and after each; stops at the first
/// whose launch fails, since its context may be dead. Errors: an unknown name, no device.
Result<int> run_cases(const std::filesystem::path& modules, std::span<char*> names);

struct Seen {
  std::string how;                   // "ran", an error, or empty: it began and did not end
  std::vector<std::string> reports;  // of the tool, at most three headings
};
/// By case: the tool's headings ("========= Invalid __global__ read of size 4 bytes") between the
/// lines that run_cases() prints.
std::map<std::string, Seen> read_reports(std::string_view text);

}  // namespace kw::redteam

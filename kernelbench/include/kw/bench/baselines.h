#pragma once
// The JSON lines of kernelbench/python/baseline.py.

#include <map>
#include <string>
#include <string_view>

#include "kw/bench/scores.h"
#include "kw/core/result.h"

namespace kw::bench {

struct Baselines {
  std::map<std::string, std::string> machine;  // "device", "torch", "policy", "l2", ...
  std::map<std::string, Baseline> problems;    // by problem, "1/19"

  /// The baseline of "kernelbench:1/19"; null for other tasks, for small variants (which nobody
  /// timed), and for problems that are not in the file.
  const Baseline* find(std::string_view task) const;
};

/// The first line describes the machine, each other line some kinds of baseline of one problem. A
/// time given twice is an error, and so is a torn last line (a run that was cut off).
Result<Baselines> parse_baselines(std::string_view json_lines);

}  // namespace kw::bench

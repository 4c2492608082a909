#pragma once
// `bench --lines FILE`: a suite in parts. Every result is appended to FILE as a line of JSON; the
// same command goes on where the file ends, and the report covers all of it.

#include <string>

#include "command.h"
#include "kw/bench/baselines.h"
#include "kw/bench/report.h"
#include "kw/bench/suites.h"
#include "kw/core/policy.h"

namespace kw::agent {

struct LinesOptions {
  std::string path;
  std::string shard;      // "2/3"
  std::string policy;     // empty: the tasks' own; "torch": what PyTorch's defaults allow
  double seconds = 0;     // no judgement is begun after these; 0: no limit
  double deadline = 120;  // seconds of one judgement
  int templates = 3;
  int parallel = 0;      // judgements at once; 0: all cores on the virtual machine, one on a GPU
  std::string modelnew;  // a folder that gets every accepted kernel as a PyTorch module
  std::string certificates;  // a folder that gets the certificate of every accept
  bool quick = false;        // a first look at each instead of the whole battery
  bool retime = false;
  bool retry = false;  // begin again what the file says was not solved
};

/// The policy that a name stands for: a preset, "torch", or kw::parse_policy()'s long form.
Result<Policy> policy_called(const std::string& name);

/// The suite's report, with "not run" for tasks that nobody got to; `left` counts those of this
/// shard. What was measured is in the file even when an Error comes back.
struct LinesRun {
  bench::Report report;
  std::size_t left = 0;
};
Result<LinesRun> run_in_lines(const Invocation& invocation, const bench::Suite& suite,
                              const std::string& device, const bench::Baselines& baselines,
                              const LinesOptions& options);

}  // namespace kw::agent

#pragma once
// Many tasks in one call, without jobs: candidates are written and compiled ahead on all cores,
// then judged and timed, the first that passes being the answer. For suites that are run in parts.

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/agent/judging.h"
#include "kw/bench/scores.h"
#include "kw/core/policy.h"
#include "kw/verify/degeneracy.h"

namespace kw::agent {

struct SweepOptions {
  std::string device;                          // resolved
  std::optional<Policy> policy;                // instead of the tasks' own
  int templates = 3;                           // candidates of the generator
  int ahead = 0;                               // threads that generate and compile; 0: all cores
  int judges = 1;                              // judgements at once; one where times are taken
  bool full = true;                            // the whole battery
  bool retime = false;                         // and time it again in a fresh process
  std::chrono::milliseconds deadline{120000};  // of one judgement
  /// No judgement is begun after it.
  std::optional<std::chrono::steady_clock::time_point> until;
  /// Before candidates of a task are made: which trivial answers it lets pass. Empty: not asked.
  std::function<verify::TaskSanity(const Task&)> ask;
  /// After each acceptance, before its result is given: what is known of the task then.
  std::function<verify::TaskSanity(const Task&, const Evidence&)> learn;
  /// After each acceptance, before its result is given; its error goes to TaskResult::refused.
  std::function<Status(const Task&, const Candidate&, const Passed&)> accepted;
  /// After each task, from one thread at a time.
  std::function<void(const bench::TaskResult&)> ended;
};

/// One result for every task that was begun, in the order of `names`. What goes wrong with one task
/// is its result (NotVerifiable, with the reason). Errors: Cancelled; no device, no compiler.
Result<std::vector<bench::TaskResult>> sweep(Judging& judging,
                                             const std::vector<std::string>& names,
                                             const SweepOptions& options, std::stop_token stop);

}  // namespace kw::agent

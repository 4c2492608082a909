#pragma once
// Runs a list of tasks as jobs, several at a time, with progress.

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "kw/agent/decide.h"
#include "kw/agent/workshop.h"
#include "kw/verify/degeneracy.h"
#include "output.h"

namespace kw::agent {

struct TaskRun {
  std::string name;
  std::string job;
  Result<State> state = State{};
  verify::TaskSanity sanity;  // asked before the search, completed by an accept
  double seconds = 0;
  bool resumed = false;
};

/// Watches the engine for a progress line. Thread-safe.
class RunWatch {
 public:
  RunWatch(bool forced, std::size_t total) : progress_(forced), total_(total) {}
  Observer observer();
  void task_ended(bool solved);
  /// A line about one task.
  void say(const std::string& what);
  void clear() { progress_.clear(); }

 private:
  void show(const std::string& what);

  std::mutex mutex_;
  Progress progress_;
  std::size_t total_, ended_ = 0, solved_ = 0;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

struct RunOptions {
  JobSpec wish;
  std::string kind = "generate";
  std::string parent;
  int parallel = 1;
};

/// One entry per name, in order. An entry holds its own Error; interrupted ones say Cancelled.
std::vector<TaskRun> run_tasks(Workshop& workshop, const std::vector<std::string>& names,
                               const RunOptions& options, RunWatch& watch,
                               std::stop_token interrupted);

/// 0 when all are solved; otherwise the code of the worst: interrupted, environment, usage, budget,
/// unsolved.
int exit_code_of(const std::vector<TaskRun>& runs);

}  // namespace kw::agent

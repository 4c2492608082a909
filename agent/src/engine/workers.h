#pragma once
// Worker threads: lease a step, do it, record its result. A heartbeat renews every lease and stops
// what was cancelled by another process; stop_steps() stops what was cancelled by this one at once.

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "kw/agent/engine.h"

namespace kw::agent {

/// Thread-safe.
class Workers {
 public:
  using Stuck = std::function<void(const std::string& job, const Error& why)>;
  /// `completed` is called after each recorded result, from a worker's thread. `stuck` when a step
  /// met a full disk, say (Errc::Io): that tells nothing of the job, so nothing is recorded and the
  /// step is put back. No further step of the job is taken until it is added again.
  Workers(store::Store& store, StepDoer& doer, EngineOptions options,
          std::function<void()> completed, Stuck stuck);
  /// Requests a stop of every running step, puts them back and joins.
  ~Workers();

  /// Steps of these jobs are taken from now on.
  void add_job(const std::string& job, const JobSpec& spec);
  /// Its running steps are asked to stop.
  void remove_job(const std::string& job);
  /// There may be new steps.
  void wake();
  void stop_steps(const std::vector<std::string>& steps);

 private:
  struct Running {
    std::string job;
    std::uint64_t token = 0;
    std::stop_source stop;
  };
  void work(std::stop_token stop, std::vector<std::string> kinds, int index);
  void perform(const store::ClaimedEffect& claimed, const std::string& job);
  void finish(const store::ClaimedEffect& claimed, const std::string& job,
              const Result<Input>& result, bool stopped);
  void beat(std::stop_token stop);
  std::optional<store::ClaimedEffect> claim(const store::ClaimFilter& filter);

  store::Store& store_;
  StepDoer& doer_;
  EngineOptions options_;
  std::function<void()> completed_;
  Stuck stuck_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::uint64_t generation_ = 0;            // guarded by mutex_
  std::map<std::string, JobSpec> jobs_;     // guarded by mutex_
  std::map<std::string, Running> running_;  // by step; guarded by mutex_
  bool stopping_ = false;                   // guarded by mutex_
  std::vector<std::jthread> threads_;
  std::jthread heartbeat_;
};

}  // namespace kw::agent

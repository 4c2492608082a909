#pragma once
// Runs jobs: one decider for each, worker threads that lease their steps from the store, and a
// heartbeat that keeps the leases. Everything that must survive a crash is in the store; a new
// engine on the same store goes on where the last one stopped.

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/agent/decide.h"
#include "kw/core/clock.h"
#include "kw/store/store.h"

namespace kw::agent {

/// What a step is about.
struct StepContext {
  std::string job;
  std::string step;
  int attempt = 1;
  JobSpec spec;
};

/// Does the work of one step. Thread-safe. Its answer is the input that the job then decides on. An
/// Error is a failure of ours: it becomes StepFailed, except Cancelled after a stop was requested.
class StepDoer {
 public:
  virtual ~StepDoer() = default;
  virtual Result<Input> perform(const StepContext& context, const StepBody& body,
                                std::stop_token stop) = 0;
};

struct EngineOptions {
  std::string worker;      // "host:pid:..."; unique to this engine. Empty: made from the machine
  int judge_threads = 0;   // propose, judge and tune steps at once; 0: the number of cores
  int model_threads = 16;  // model requests at once
  std::chrono::milliseconds lease{5000};
  int max_attempts = 32;  // of a step whose process keeps dying
};

/// Called after each decision was recorded, from the decider's thread. Must not call the engine.
using Observer = std::function<void(const State& after, const std::vector<Fact>& facts)>;

class Engine {
 public:
  /// All outlive the engine.
  Engine(store::Store& store, StepDoer& doer, Clock& clock, EngineOptions options,
         Observer observer = {});
  /// Stops everything: running steps are put back, leases released, jobs left as they are.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Creates a job and begins it. The same idempotency key gives the same job.
  Result<std::string> submit(const store::NewJob& job);
  /// Goes on with a job of the store: after a crash, or one that waits in a queue.
  Status adopt(const std::string& job);
  /// Jobs this engine decides for.
  std::vector<std::string> active() const;

  /// Until the job is final; an Error when it cannot go on here (the job itself stays as it is).
  Result<State> wait(const std::string& job, std::stop_token stop = {});
  /// Drops what is kept of a job that is over; its history stays in the store. Nobody may be
  /// waiting for it.
  void forget(const std::string& job);
  /// Any process may ask; the decider of the job answers.
  Status cancel(const std::string& job, const std::string& reason);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How inputs travel through the store ({"type","v","fact"}).
std::string encode_input(const Input& input);
Result<Input> decode_input(std::string_view json);

}  // namespace kw::agent

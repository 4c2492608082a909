#pragma once
// Steps whose outcome a test decides, with counters of what was really done.

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

#include "kw/agent/engine.h"

namespace kw::fakes {

/// Blocks until `time` has passed or the step is stopped; true when it was stopped.
inline bool sleep_until_stopped(std::stop_token stop, std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable_any timer;
  std::unique_lock lock(mutex);
  timer.wait_for(lock, stop, time, [] { return false; });
  return stop.stop_requested();
}

/// Thread-safe.
class ScriptedSteps final : public agent::StepDoer {
 public:
  using Script = std::function<Result<agent::Input>(const agent::StepContext&,
                                                    const agent::StepBody&, std::stop_token)>;
  explicit ScriptedSteps(Script script) : script_(std::move(script)) {}

  Result<agent::Input> perform(const agent::StepContext& context, const agent::StepBody& body,
                               std::stop_token stop) override {
    {
      const std::lock_guard lock(mutex_);
      ++performed_[context.step];
    }
    ++running;
    auto result = script_(context, body, std::move(stop));
    --running;
    return result;
  }
  std::map<std::string, int> performed() const {
    const std::lock_guard lock(mutex_);
    return performed_;
  }

  std::atomic<int> running = 0;

 private:
  Script script_;
  mutable std::mutex mutex_;
  std::map<std::string, int> performed_;  // times by step; guarded by mutex_
};

inline agent::Proposed proposes(const agent::StepContext& context, ProposerKind kind,
                                const std::vector<std::string>& candidates) {
  agent::Proposed p;
  p.step = context.step;
  p.proposer = kind;
  for (const std::string& id : candidates) p.candidates.push_back({id, "generator@1", ""});
  return p;
}

inline agent::Judged passes(const agent::StepContext& context, const agent::JudgeStep& step) {
  agent::Judged j;
  j.step = context.step;
  j.candidate = step.candidate;
  j.full = step.full;
  j.passed = true;
  return j;
}

}  // namespace kw::fakes

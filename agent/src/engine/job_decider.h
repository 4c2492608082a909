#pragma once
// The decider of one job: holds its lease, folds its history, turns inputs into appends.

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kw/agent/decide.h"
#include "kw/core/clock.h"
#include "kw/store/store.h"

namespace kw::agent {

struct Advance {
  std::vector<Fact> facts;          // recorded by this call
  std::vector<std::string> cancel;  // steps that must stop now
};

/// Not thread-safe: belongs to the decider thread.
class JobDecider {
 public:
  /// Acquires the lease and restores the state. Conflict while another worker holds it.
  static Result<JobDecider> open(store::Store& store, Clock& clock, const std::string& worker,
                                 std::chrono::milliseconds lease, const std::string& job);

  /// Decides on everything that has arrived.
  Result<Advance> advance();
  /// Gives the lease back.
  void release();

  const State& state() const { return state_; }
  /// When advance() has something to do by itself: the budget's end or the lease's renewal.
  std::chrono::steady_clock::time_point due() const;

 private:
  JobDecider(store::Store& store, Clock& clock, std::chrono::milliseconds lease);
  Status take(const Input& input, std::optional<std::uint64_t> n, Advance& out);
  Status keep_lease();
  Status spend_budget();

  store::Store* store_;
  Clock* clock_;
  std::chrono::milliseconds lease_;
  std::uint64_t token_ = 0;
  State state_;
  std::string recorded_spec_;
  std::set<std::uint64_t> ignored_;  // inputs that decided nothing; consumed by the next append
  std::chrono::steady_clock::time_point renew_at_, budget_end_;
  bool budget_posted_ = false;
};

}  // namespace kw::agent

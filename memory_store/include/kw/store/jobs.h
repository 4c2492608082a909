#pragma once
// A job's life in the store: its history (events), the work its decisions ask for (effects) and
// what came in since (inputs). decide(State, Input) -> {Events, Effects} is the caller's; the store
// makes one step of it atomic.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/event.h"
#include "kw/core/result.h"

namespace kw::store {

enum class JobState { Queued, Running, Done, Failed, Cancelled };
std::string_view to_string(JobState state) noexcept;
std::optional<JobState> parse_job_state(std::string_view text) noexcept;
/// Done, Failed and Cancelled are final: such a job takes no more events, effects or inputs.
bool is_final(JobState state) noexcept;

struct NewJob {
  std::string idempotency_key;  // the caller's; the same key gives the same job. Empty: always new
  std::string kind;             // "generate", "tune", "bench"
  std::string parent;           // a bench job's id for the jobs of its problems; empty otherwise
  std::string task_key;         // instance key (TaskKeys::shape) of what it is about; may be empty
  std::string spec;             // JSON object: what was asked for
};

struct Job {
  std::string id;  // UUIDv7
  std::string idempotency_key;
  std::string kind;
  std::string parent;
  std::string task_key;
  std::string spec;
  JobState state = JobState::Queued;
  std::string summary;         // JSON object of the last append that gave one; "{}" before
  std::uint64_t last_seq = 0;  // of its newest event; 0: none yet
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
};

struct CreatedJob {
  Job job;
  bool created = false;  // false: the idempotency key was known, `job` is the earlier one
};

struct JobFilter {
  std::vector<JobState> states;       // empty: any
  std::optional<std::string> parent;  // "" asks for jobs without one
  std::optional<std::string> kind;
  bool needs_decider = false;  // not final, and nobody holds an unexpired decider lease
  std::string before;          // paging: only ids below this one; empty: from the newest
  std::size_t limit = 100;     // newest first
};

/// The right to decide for one job. `token` grows with every acquisition and is checked on each
/// append: a decider that lost its lease can no longer write.
struct DeciderLease {
  std::uint64_t token = 0;
  std::int64_t until_us = 0;
};

/// What a job has not looked at yet, in order of arrival. Kept until an append consumes it.
struct Input {
  std::uint64_t n = 0;  // 1, 2, ... within the job: the order of arrival
  std::string id;       // of the effect it answers, or chosen by who posted it
  std::string kind;     // "effect_done", or what post_input() was given ("cancel", "answer", ...)
  std::string payload;  // JSON object
  std::int64_t time_us = 0;
};

struct NewEvent {
  std::string type;
  int version = 1;
  std::string payload;  // JSON object
};

struct NewEffect {
  std::string kind;
  std::string payload;                 // JSON object
  int priority = 0;                    // higher is claimed first
  std::chrono::microseconds delay{0};  // not claimable before now + delay (retries)
};

/// The id of the i-th effect of the append that wrote events up to `seq`: H(job, seq, i).
std::string effect_id(std::string_view job, std::uint64_t seq, std::size_t i);

/// One step of a decider, all or nothing.
struct Append {
  std::string job;
  std::uint64_t expected_seq = 0;  // Job::last_seq the decision was made on; otherwise Conflict
  std::uint64_t token = 0;         // of the decider lease; otherwise Conflict
  std::vector<NewEvent> events;    // at least one
  std::vector<NewEffect> effects;
  std::vector<std::string> cancel;      // effects no longer wanted (losers of a race)
  std::vector<std::uint64_t> consumed;  // Input::n this step has dealt with
  std::optional<JobState> state;        // a final state also cancels every open effect
  std::optional<std::string> summary;   // JSON object
  bool durable = false;  // true for accepts: on disk when this returns (synchronous FULL)
};

struct Appended {
  std::uint64_t last_seq = 0;
  std::vector<std::string> effect_ids;  // effect_id(job, last_seq, i)
};

struct ClaimFilter {
  std::vector<std::string> kinds;  // empty: any
  std::string worker;              // who asks: "host:pid:n"
  std::chrono::milliseconds lease{30'000};
  std::string job;  // empty: any job
};

struct ClaimedEffect {
  Effect effect;            // attempt counts this claim
  std::uint64_t token = 0;  // fencing token of this claim
  std::int64_t until_us = 0;
};

struct EffectFilter {
  std::string job;  // empty: any
  std::vector<EffectState> states;
  std::size_t limit = 1000;
};

enum class Completion {
  Recorded,
  Duplicate,  // it was done before: this result is dropped
};

}  // namespace kw::store

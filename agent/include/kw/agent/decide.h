#pragma once
// The job state machine: decide(State, Input) -> facts and steps, fold(State, Fact) -> State. Both
// pure: no clock, no store, no randomness. What happened is in the facts; replay() runs it again.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kw/agent/job.h"

namespace kw::agent {

enum class CandidateStatus {
  Waiting,  // to be judged
  Judging,
  Passed,     // the first look
  Confirmed,  // the whole battery, again, in a fresh process
  Rejected,
  Unjudged,  // we failed to judge it
};

struct CandidateState {
  std::string id;
  ProposerKind proposer = ProposerKind::Template;
  std::string generator;
  std::string match;
  int lane = -1;
  int round = 0;
  CandidateStatus status = CandidateStatus::Waiting;
  std::optional<double> median_us;
  std::string reason;           // of the rejection
  std::string verdict;          // id of the judge step that decided last
  int failures = 0;             // of ours
  std::uint64_t passed_at = 0;  // seq of the fact; orders a race without time
};

struct LaneState {
  enum class Phase { Ready, Asking, Judging, Ended };
  Phase phase = Phase::Ready;
  int round = 0;          // of the next ask
  std::string asked;      // id of the last ask
  std::string candidate;  // of the last ask
  std::optional<Finding> finding;
};

struct State {
  std::string job;
  std::uint64_t seq = 0;  // facts folded so far
  JobSpec spec;
  enum class Phase { New, Looking, Racing, Tuning, Final } phase = Phase::New;
  std::map<std::string, StepBody> open;    // steps asked for and not answered
  std::vector<CandidateState> candidates;  // in order of arrival
  std::vector<LaneState> lanes;
  std::vector<Finding> findings;
  std::string chosen;  // being judged again
  bool tuned = false;
  bool budget_spent = false;
  bool endpoint_lost = false;  // it refused our key: no lane asks again
  std::optional<std::string> cancel_asked;
  std::optional<Error> error;  // the last failure of ours
  std::string winner;
  bool from_memory = false;
  std::optional<JobStatus> status;
  std::int64_t input_tokens = 0, output_tokens = 0, requests = 0, unknown_usage = 0;

  const CandidateState* find(const std::string& id) const;
  CandidateState* find(const std::string& id);
};

void fold(State& state, const Fact& fact);

struct Decision {
  std::vector<Fact> facts;          // the input first; empty when the input is a duplicate
  std::vector<Step> steps;          // of the StepsAsked among the facts, with their final ids
  std::vector<std::string> cancel;  // steps no longer wanted
  bool durable = false;             // an accept
  State after;
};

/// A completion of a step that is not open (done or cancelled before) decides nothing.
Decision decide(const State& before, const Input& input);

/// The result as a JSON object: what is shown and kept as the job's summary.
std::string summary_json(const State& state);

struct Replayed {
  std::string winner;
  std::size_t inputs = 0;
  std::size_t facts = 0;
  State state;
};
/// Decides again from the recorded inputs alone and compares every fact. An error names the first
/// one that differs.
Result<Replayed> replay(const std::string& job, const std::vector<Event>& events);
/// Folds recorded events without deciding.
Result<State> restore(const std::string& job, const std::vector<Event>& events);

}  // namespace kw::agent

#pragma once
// What a job was asked for, and its history as typed facts. The state machine itself is decide.h.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/event.h"
#include "kw/core/keys.h"
#include "kw/core/outcome.h"
#include "kw/search/race.h"

namespace kw::agent {

using search::Objective;  // First: the first good candidate; Best: the fastest within the budget
using search::parse_objective;

/// An OpenAI-compatible endpoint. The key itself is never here: only the name of the environment
/// variable that holds it.
struct ModelSpec {
  std::string endpoint;  // "http://127.0.0.1:8000/v1"
  std::string model;
  std::string key_env;  // empty: no Authorization header
  int lanes = 4;
  int rounds = 3;
  int max_tokens = 8192;
  int connect_ms = 10'000;
  int first_byte_ms = 60'000;
  int total_ms = 300'000;
  int retries = 3;  // after the first send; on 429, 5xx and connections that failed
  bool operator==(const ModelSpec&) const = default;
};

/// Everything a job decides on, apart from what happens later. Recorded in its first event.
struct JobSpec {
  std::string task_name;  // shown
  TaskKeys keys;          // the task's document is in the store under keys.shape
  std::string device;     // "vm", "cuda:0"
  std::string device_class;
  bool has_time = false;  // the device can time a candidate
  Objective objective = Objective::First;
  double budget_s = 120;  // of the race; tuning has its own
  int max_candidates = 64;
  bool memory = true;
  int templates = 3;  // candidates asked of the generator; 0: none
  std::optional<ModelSpec> model;
  std::string transcript;    // blob id of a recorded transcript to replay; empty: none
  int tune_evaluations = 0;  // 0: no tuning
  double tune_s = 60;
  std::string origin = "cli";  // "cli" or "service": who resumes it after a crash
};
std::string to_json(const JobSpec& spec);
Result<JobSpec> parse_job_spec(std::string_view json);

/// What went wrong with an answer or a proposer, by kind, for the result and for the next round.
enum class FindingKind {
  Unauthorized,  // 401, 403
  RateLimited,   // 429 after all retries
  ServerError,   // 5xx after all retries
  BadRequest,    // any other 4xx
  ConnectFailed,
  Stalled,    // a deadline passed without a byte
  CutStream,  // the stream ended before it said so
  ReplyTooLarge,
  MalformedReply,  // not the protocol
  CutAnswer,       // the model stopped at its token limit
  ProseOnly,       // no code block at all
  MissingSource,
  MissingPlan,
  TooManyBlocks,
  HostCode,  // main(), runtime calls, launches, host headers, torch
  BadPlan,
  SourceTooLarge,
  DuplicateCandidate,
  ProposerFailed,  // a proposer of ours could not work
};
std::string_view to_string(FindingKind kind) noexcept;
std::optional<FindingKind> parse_finding_kind(std::string_view text) noexcept;
/// The endpoint will not do better when asked again: the lanes end.
bool ends_lanes(FindingKind kind) noexcept;

struct Finding {
  FindingKind kind = FindingKind::ProposerFailed;
  std::string text;
  int lane = -1;  // -1: not of a model lane
  int round = 0;
};

// ---- steps: the work a decision asks for ------------------------------------------------------

/// Ask a deterministic proposer (memory, templates, replay) for candidates.
struct ProposeStep {
  ProposerKind proposer = ProposerKind::Template;
  int limit = 1;
};
/// One request to the model.
struct AskStep {
  int lane = 0;
  int round = 0;
  std::string previous;            // the ask of the round before; empty in round 0
  std::string candidate;           // what it proposed, if it was a candidate
  std::string verdict;             // the judge step that rejected it
  std::optional<Finding> finding;  // why it was none
};
/// Judge a candidate: a first look, or the whole battery on a fresh seed in a fresh process.
struct JudgeStep {
  std::string candidate;
  bool full = false;
  bool timing = false;
};
/// Search the declared parameters of a template candidate.
struct TuneStep {
  std::string candidate;
  int evaluations = 0;
  double seconds = 0;
};
using StepBody = std::variant<ProposeStep, AskStep, JudgeStep, TuneStep>;
struct Step {
  std::string id;  // store::effect_id(): H(job, seq, i)
  StepBody body;
};
/// The effect's kind in the store: "propose", "model_request", "judge", "tune".
std::string_view kind_of(const StepBody& body) noexcept;
std::string to_json(const StepBody& body);
Result<StepBody> parse_step(std::string_view kind, std::string_view json);

// ---- facts: inputs ----------------------------------------------------------------------------

struct ProposedCandidate {
  std::string id;
  std::string generator;
  std::string match;  // how memory knew it ("same_device"); empty otherwise
};
struct JobCreated {
  JobSpec spec;
};
struct Proposed {
  std::string step;
  ProposerKind proposer = ProposerKind::Template;
  int lane = -1;
  int round = 0;
  std::vector<ProposedCandidate> candidates;
  std::optional<Finding> finding;
  std::int64_t input_tokens = 0, output_tokens = 0;
  bool tokens_known = true;  // false: the endpoint did not say; counted as unknown
};
struct Judged {
  std::string step;
  std::string candidate;
  bool full = false;
  std::uint64_t seed = 0;  // the judge's secret, drawn after the candidate was fixed
  bool passed = false;
  std::string kind;  // RejectKind's name when rejected
  std::string reason;
  std::optional<double> median_us;
};
struct Tuned {
  std::string step;
  std::string from;       // the candidate that was tuned
  std::string candidate;  // the best configuration, judged; empty: none was better
  std::string generator;
  std::optional<double> median_us;
  int evaluations = 0;
};
/// A failure of ours, not of a candidate.
struct StepFailed {
  std::string step;
  Errc code = Errc::Internal;
  std::string message;
};
struct BudgetSpent {};
struct CancelAsked {
  std::string reason;
};
/// What comes from outside. Recorded as it arrived: given the inputs, a job decides the same.
using Input =
    std::variant<JobCreated, Proposed, Judged, Tuned, StepFailed, BudgetSpent, CancelAsked>;

// ---- facts: decisions -------------------------------------------------------------------------

struct StepsAsked {
  std::vector<Step> steps;
};
struct StepsCancelled {
  std::vector<std::string> steps;
};
/// The race has a winner; it is judged again before it is accepted.
struct WinnerChosen {
  std::string candidate;
};
struct Accepted {
  std::string candidate;
  bool from_memory = false;
};
enum class JobStatus { Solved, Unsolved, OutOfBudget, Failed, Cancelled };
std::string_view to_string(JobStatus status) noexcept;
std::optional<JobStatus> parse_job_status(std::string_view text) noexcept;
struct Finished {
  JobStatus status = JobStatus::Unsolved;
  std::string winner;
  std::optional<Error> error;  // Failed: what of ours went wrong
};

using Fact = std::variant<JobCreated, Proposed, Judged, Tuned, StepFailed, BudgetSpent, CancelAsked,
                          StepsAsked, StepsCancelled, WinnerChosen, Accepted, Finished>;

std::string_view type_of(const Fact& fact) noexcept;  // "job_created", "judged", ...
std::string payload_of(const Fact& fact);
Result<Fact> parse_fact(std::string_view type, int version, std::string_view payload);
/// The input a fact is, if it is one.
std::optional<Input> as_input(const Fact& fact);
Fact as_fact(const Input& input);

}  // namespace kw::agent

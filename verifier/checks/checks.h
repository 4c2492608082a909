#pragma once
// The checks of verification.md section 2. Each appends to the evidence what it looked at, and says
// why the candidate is rejected, if it is. Errors are ours.

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/core/interfaces.h"
#include "kw/core/task.h"
#include "kw/verify/device.h"
#include "kw/verify/judge.h"
#include "oracle.h"
#include "trial_plan.h"

namespace kw::verify {

/// Why a candidate is rejected, before the evidence is attached.
struct Verdict {
  std::string check;  // "V7": whose verdict it is
  RejectKind kind = RejectKind::WrongResult;
  std::string reason;
  std::map<std::string, std::string> witness;
};
using Checked = Result<std::optional<Verdict>>;  // no verdict: passed

/// What could be judged of one trial's outputs.
struct TrialCoverage {
  std::string label;
  Family family = Family::AsDrawn;
  std::vector<std::int64_t> elements, judged;  // by graph output
  bool silent() const;                         // outputs have elements, and none was judged
};

/// What the checks of one judgement share.
struct Session {
  const Task& task;
  const Candidate& candidate;
  const CompiledModule& module;
  Device& device;
  Oracle& oracle;
  const JudgeOptions& options;
  std::stop_token stop;
  std::chrono::steady_clock::time_point deadline;
  Evidence& evidence;
  std::uint64_t seed = 0;                 // everything that is drawn follows from it
  bool large = false;                     // judged by a reference on a device, with fewer trials
  std::vector<TrialCoverage> coverage{};  // of the trials whose values were compared so far

  /// Runs trials in a runner process; counters go into the evidence.
  Result<RunReply> run(const std::vector<TrialPlan>& plans, std::optional<TimingRequest> timing);
  /// Whether a check takes part: always, but for tests of what each one is for.
  bool asked(std::string_view check) const;
  Result<std::chrono::milliseconds> time_left() const;
  CheckRecord& record(std::string check, bool passed, std::uint64_t seed);
  std::uint64_t seed_for(std::string_view purpose_name, std::uint64_t index = 0) const;
  /// Adds to the evidence's counter "seconds.CHECK": what a check costs. Not among the figures that
  /// a replay is held against.
  void spend(std::string_view check, double seconds);

 private:
  void share(const std::vector<TrialPlan>& plans, bool timed, double seconds);
};

/// The check that a trial is run for, by its label: "V10" for the task's own draw, "V4" for its
/// repetition, "V16" for a changed input, "V11" for a family.
std::string_view check_of(const TrialPlan& plan);

/// Spends the time between its birth and its death.
class Spending {
 public:
  Spending(Session& session, std::string_view check) : session_(session), check_(check) {}
  ~Spending() {
    session_.spend(check_, std::chrono::duration<double>(Clock::now() - begin_).count());
  }
  Spending(const Spending&) = delete;
  Spending& operator=(const Spending&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  Session& session_;
  std::string_view check_;
  Clock::time_point begin_ = Clock::now();
};

/// V1: a seed that no candidate can know, and its record.
Result<std::uint64_t> draw_seed();
void record_seed(Session& session, bool fresh);
inline constexpr std::uint64_t kPublicSeed = 1;  // what is drawn from where V1 is left out

/// V7 on the parsed PTX, and the plan against the task: entries are the plan's, nothing external,
/// opcodes from an allow-list, no clock or SM id; roles, names and sizes of buffers are the
/// graph's.
Checked check_ptx(Session& session);
Checked check_plan(Session& session);

/// V2 on one trial: guard zones. V3: modified inputs.
Checked check_guards(Session& session, const TrialPlan& plan, const TrialResult& result);
Checked check_inputs(Session& session, const TrialPlan& plan, const TrialResult& result);
/// V10 on one trial. One of which no element has a definite value is recorded as such; whether
/// others make up for it is asked at the end.
Checked check_values(Session& session, const TrialPlan& plan, const TrialResult& result);
/// V10 at the end of the battery: every output was judged somewhere, and for every family of which
/// no element could be judged another one stands in, recorded as "made_up_by": for ordinary numbers
/// one of ordinary numbers (or V18's steps), for extreme ones any. Otherwise NotVerifiable.
Checked check_coverage(Session& session);
/// The label of the trial that stands in for trial `silent`; nullopt when there is none.
std::optional<std::string> made_up_by(const std::vector<TrialCoverage>& all, std::size_t silent);
/// The first output with elements that no trial judged.
std::optional<std::size_t> never_judged(const std::vector<TrialCoverage>& all);

/// V5: repeats of one trial, and V4: the same inputs in other buffers, bit for bit where the task
/// asks for it.
Checked check_repeats(Session& session, const TrialPlan& plan, const TrialResult& result);
Checked check_same(Session& session, const TrialPlan& plan, const TrialResult& first,
                   const TrialResult& again);
/// V16: trials that differ from `base` in one input element each.
Result<std::vector<TrialPlan>> sensitivity_trials(Session& session, const TrialPlan& base);
Checked check_sensitivity(Session& session, const TrialPlan& base, const TrialResult& base_result,
                          const TrialPlan& changed, const TrialResult& changed_result);
/// V4: a timed run left what was judged.
Checked check_timed_run(Session& session, const RunReply& reply, bool repeats_equal);
/// V6: stream time against device-wide time. V8: what ran. V13: where it ran. V15: with a cold
/// cache.
Checked check_device_time(Session& session, const RunReply& reply);
Checked check_trace(Session& session, const RunReply& reply, double runs);
Checked check_cage(Session& session, const RunReply& reply);
Checked check_cold_cache(Session& session, const RunReply& reply);
/// V9: a time below the roofline floor is impossible.
Checked check_roofline(Session& session, Timing& timing);
/// V12 for devices that see no accesses: the same trials in the virtual machine.
Checked check_sanitizers(Session& session, const std::vector<TrialPlan>& plans);
/// V17: two processes agree on the time.
Checked check_retime(Session& session, const Timing& before, const Timing& after);
/// V18: every step on the candidate's own earlier values, where the bounds of the outputs say
/// little.
Checked check_steps(Session& session, const TrialPlan& base);

/// V14, with an accept: the task's class, from its own draws; at full size from a sample of outputs
/// that passed, which equal the reference within their bounds. Never a verdict.
Status record_task(Session& session, const std::vector<TrialPlan>& as_drawn);
Status record_large_task(Session& session, const TrialResult& accepted);

/// V11: the families that fit the task, in the order they run.
Result<std::vector<TrialPlan>> family_trials(Session& session);

/// The runner's own finding (a trap, a race, out of bounds, a time-out) as a verdict.
Verdict from_fault(const RunFault& fault);
/// What a witness says of a trial and a buffer in it.
std::map<std::string, std::string> replay_of(const TrialPlan& plan, const std::string& buffer);
/// Bytes of every graph output, in order; a verdict when one is missing or has another size.
Checked output_views(Session& session, const TrialResult& result, std::vector<OutputView>& views);

}  // namespace kw::verify

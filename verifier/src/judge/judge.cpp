#include "kw/verify/judge.h"

#include "checks.h"
#include "full_size_oracle.h"
#include "gpu_reference.h"
#include "kw/core/random.h"

namespace kw::verify {
namespace {

double milliseconds_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun)
      .count();
}

std::string first_error(const CompileFailure& failure) {
  for (const Diagnostic& d : failure.diagnostics) {
    if (d.severity == Diagnostic::Severity::Error) {
      return d.line > 0 ? fmt::format("line {}: {}", d.line, d.text) : d.text;
    }
  }
  return failure.diagnostics.empty() ? "no diagnostic" : failure.diagnostics.front().text;
}

/// Everything after compiling. Returns the first verdict against the candidate.
class Battery {
 public:
  explicit Battery(Session& session) : session_(session) {}

  Checked run() {
    for (Checked (*check)(Session&) : {check_plan, check_ptx}) {
      const Spending time(session_, "V7");
      KW_ASSIGN(auto refused, check(session_));
      if (refused) return refused;
    }
    KW_ASSIGN(auto verdict, first_look());
    if (verdict) return verdict;
    KW_ASSIGN(verdict, check_steps(session_, base_));
    if (verdict) return verdict;
    if (!session_.options.full) return check_coverage(session_);
    KW_ASSIGN(verdict, whole_battery());
    if (verdict) return verdict;
    KW_ASSIGN(verdict, check_coverage(session_));
    if (verdict || !timing || !session_.options.fresh_process_retime || !session_.asked("V17")) {
      return verdict;
    }
    return time_again();
  }
  std::optional<Timing> timing;

 private:
  using Each = std::function<Checked(std::size_t, const TrialResult&)>;

  /// Runs trials and looks at those that completed before it looks at a fault: a wrong value is a
  /// better answer than "the next trial trapped".
  Checked trials(const std::vector<TrialPlan>& plans, std::optional<TimingRequest> request,
                 const Each& each, std::vector<TrialResult>* keep) {
    KW_ASSIGN(RunReply reply, session_.run(plans, request));
    KW_ASSIGN(auto uncaged, check_cage(session_, reply));
    if (uncaged) return uncaged;
    for (std::size_t i = 0; i < reply.trials.size() && i < plans.size(); ++i) {
      for (const auto check : {check_guards, check_inputs}) {
        KW_ASSIGN(auto touched, check(session_, plans[i], reply.trials[i]));
        if (touched) return touched;
      }
      const Spending time(session_, check_of(plans[i]));
      KW_ASSIGN(auto verdict, each(i, reply.trials[i]));
      if (verdict) return verdict;
      repeats_equal_ = repeats_equal_ && reply.trials[i].repeats_equal;
    }
    if (reply.fault) return from_fault(*reply.fault);
    if (reply.trials.size() != plans.size()) {
      return fail(Errc::Internal, "the runner returned {} of {} trials and no fault",
                  reply.trials.size(), plans.size());
    }
    KW_ASSIGN(auto traced, check_trace(session_, reply, runs_of(plans)));
    if (traced) return traced;
    for (const auto check : {check_device_time, check_cold_cache}) {
      KW_ASSIGN(auto mistimed, check(session_, reply));
      if (mistimed) return mistimed;
    }
    KW_ASSIGN(auto changed, check_timed_run(session_, reply, repeats_equal_));
    if (changed) return changed;
    if (reply.timing) timing = reply.timing;
    if (keep != nullptr) *keep = std::move(reply.trials);
    return std::nullopt;
  }

  static double runs_of(const std::vector<TrialPlan>& plans) {
    double runs = 0;
    for (const TrialPlan& plan : plans) runs += plan.repeats;
    return runs;
  }

  /// The task's own draw under two poisons: what costs little and finds most.
  Checked first_look() {
    KW_ASSIGN(base_, plan_trial(session_.task, "as_drawn.first", Family::AsDrawn, kNoValue,
                                session_.seed_for("judge.first")));
    if (session_.large) return first_large_look();
    TrialPlan second = base_;
    second.label = "as_drawn.poison";
    second.poison = 0x7F;  // NaN in FP16, 3.4e38 in FP32
    second.schedule_seed = session_.seed_for("judge.poison");
    // Values are judged of the last run: what a call does may hang on how many went before.
    second.repeats =
        session_.options.full ? 2 + static_cast<int>(session_.seed_for("judge.repeats") % 3) : 1;
    base_.thorough = second.thorough = true;
    std::vector<TrialPlan> plans{base_, second};
    std::optional<TimingRequest> request;
    if (!session_.options.full && session_.options.timing) request = TimingRequest{};
    std::vector<TrialResult> results;
    KW_ASSIGN(auto verdict, trials(
                                plans, request,
                                [&](std::size_t i, const TrialResult& result) {
                                  return check_values(session_, plans[i], result);
                                },
                                &results));
    if (verdict) return verdict;
    KW_ASSIGN(verdict, check_repeats(session_, second, results[1]));
    if (verdict) return verdict;
    KW_ASSIGN(verdict, check_same(session_, base_, results[0], results[1]));
    if (verdict) return verdict;
    first_ = std::move(results[0]);
    if (session_.options.full) {
      const Spending time(session_, "V12");
      KW_ASSIGN(verdict, check_sanitizers(session_, plans));
      if (verdict) return verdict;
    }
    return time_verdict();
  }

  /// At full size one run must do; its time is taken on the task's own data as well.
  Checked first_large_look() {
    base_.repeats = session_.options.full ? 2 : 1;
    std::optional<TimingRequest> request;
    if (session_.options.timing) request = TimingRequest{};
    KW_ASSIGN(auto verdict, trials(
                                {base_}, request,
                                [&](std::size_t, const TrialResult& result) -> Checked {
                                  KW_ASSIGN(auto wrong, check_values(session_, base_, result));
                                  if (wrong) return wrong;
                                  if (session_.asked("V14")) {
                                    const Spending time(session_, "V14");
                                    KW_RETURN_IF_ERROR(record_large_task(session_, result));
                                  }
                                  return check_repeats(session_, base_, result);
                                },
                                nullptr));
    if (verdict) return verdict;
    return time_verdict();
  }

  Checked whole_battery() {
    KW_ASSIGN(const std::vector<TrialPlan> families, family_trials(session_));
    KW_ASSIGN(const std::vector<TrialPlan> changed, sensitivity_trials(session_, base_));
    std::vector<TrialPlan> plans = families;
    plans.insert(plans.end(), changed.begin(), changed.end());
    std::optional<TimingRequest> request;
    std::size_t last = plans.size();
    if (!session_.large) {
      // The last call equals the first; where bits count, so do a few more at other addresses.
      const bool bitwise = session_.task.determinism == Determinism::Bitwise;
      for (std::uint64_t i = 0; i < (bitwise ? 4u : 1u); ++i) {
        TrialPlan again = base_;
        again.label = i == 0 ? "as_drawn.last" : fmt::format("as_drawn.last.{}", i + 1);
        again.schedule_seed = session_.seed_for("judge.last", i);
        plans.push_back(again);
      }
      if (session_.options.timing) request = TimingRequest{};
    }
    if (plans.empty()) return std::nullopt;  // at full size no family may be legal for the task
    KW_ASSIGN(auto verdict, trials(
                                plans, request,
                                [&](std::size_t i, const TrialResult& result) -> Checked {
                                  if (i >= last) {  // never so at full size
                                    KW_ASSIGN(auto wrong, check_values(session_, plans[i], result));
                                    if (wrong) return wrong;
                                    return check_same(session_, base_, first_, result);
                                  }
                                  if (i < families.size())
                                    return check_values(session_, plans[i], result);
                                  return check_sensitivity(session_, base_, first_, plans[i],
                                                           result);
                                },
                                nullptr));
    if (verdict) return verdict;
    if (!session_.large && session_.asked("V14")) {
      const Spending time(session_, "V14");
      std::vector<TrialPlan> drawn{base_};
      for (const TrialPlan& plan : families) {
        if (plan.family == Family::AsDrawn) drawn.push_back(plan);
      }
      KW_RETURN_IF_ERROR(record_task(session_, drawn));
    }
    return time_verdict();
  }

  /// V17: every run has a process of its own, so one more run is a fresh one. The later time
  /// counts.
  Checked time_again() {
    const Timing before = *timing;
    KW_ASSIGN(auto verdict, trials(
                                {base_}, TimingRequest{},
                                [&](std::size_t, const TrialResult& result) -> Checked {
                                  // At full size the whole output was compared already, and the
                                  // runner compares what a timed run left with the judged run.
                                  if (session_.large) return std::nullopt;
                                  return check_values(session_, base_, result);
                                },
                                nullptr));
    if (verdict) return verdict;
    KW_ASSIGN(verdict, check_retime(session_, before, *timing));
    if (verdict) return verdict;
    return time_verdict();
  }

  Checked time_verdict() {
    if (!timing) return std::nullopt;
    return check_roofline(session_, *timing);
  }

  Session& session_;
  TrialPlan base_;
  TrialResult first_;
  bool repeats_equal_ = true;
};

}  // namespace

Result<RunReply> Session::run(const std::vector<TrialPlan>& plans,
                              std::optional<TimingRequest> timing) {
  RunRequest request;
  KW_ASSIGN(request.deadline, time_left());
  request.module = module;
  request.plan = candidate.plan;
  for (const TrialPlan& plan : plans) {
    request.trials.push_back(plan.trial());
    if (!asked("V2")) request.trials.back().poison = 0;
  }
  request.sanitize = asked("V12");
  request.protect_inputs = asked("V3");
  request.timing = timing;
  request.seed = seed_for("judge.placement", evidence.checks.size());
  const auto begun = std::chrono::steady_clock::now();
  KW_ASSIGN(RunReply reply, device.run(request, stop));
  const double spent_ms = milliseconds_since(begun);
  evidence.counters["wall.run_ms"] += spent_ms;
  share(plans, timing.has_value(), spent_ms / 1e3);
  // Counts add up over runs; what describes one timed run is that of the last.
  const auto describes = [](std::string_view name) {
    return name.starts_with("time.") || name.starts_with("kernel_us.") ||
           name == "min_sm_clock_mhz" || name == "throttle_reasons" ||
           name == "timed_run_as_judged" || name == "graph";
  };
  for (const auto& [name, count] : reply.counters) {
    if (describes(name)) {
      evidence.counters[name] = count;
    } else {
      evidence.counters[name] += count;
    }
  }
  return reply;
}

/// One run serves several checks: its time is theirs by runs of the plan. A timed one is V6's, as
/// its samples outweigh the trials.
void Session::share(const std::vector<TrialPlan>& plans, bool timed, double seconds) {
  if (timed) return spend("timing", seconds);
  double runs = 0;
  for (const TrialPlan& plan : plans) runs += plan.repeats;
  for (const TrialPlan& plan : plans) spend(check_of(plan), seconds * plan.repeats / runs);
}

void Session::spend(std::string_view check, double seconds) {
  evidence.counters[fmt::format("seconds.{}", check)] += seconds;
}

std::string_view check_of(const TrialPlan& plan) {
  if (plan.label.starts_with("sensitivity")) return "V16";
  if (plan.label.starts_with("as_drawn.last")) return "V4";
  return plan.label.starts_with("as_drawn.") ? "V10" : "V11";
}

CheckRecord& Session::record(std::string check, bool passed, std::uint64_t drawn) {
  CheckRecord& entry = evidence.checks.emplace_back();
  entry.check = std::move(check);
  entry.passed = passed;
  entry.seed = drawn;
  return entry;
}

bool Session::asked(std::string_view check) const { return !options.without.contains(check); }

Result<std::chrono::milliseconds> Session::time_left() const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  if (left.count() > 0) return left;
  return fail(Errc::DeadlineExceeded, "judging passed its deadline of {} ms",
              options.deadline.count());
}

struct Judge::Impl {
  Impl(Compiler& c, Device& d) : compiler(c), device(d), reference(c, d) {}
  Compiler& compiler;
  Device& device;
  GpuReference reference;
};

Judge::Judge(Compiler& compiler, Device& device)
    : impl_(std::make_unique<Impl>(compiler, device)) {}
Judge::~Judge() = default;

Result<Outcome> Judge::judge(const Task& task, const Candidate& candidate,
                             const JudgeOptions& options, std::stop_token stop) {
  Evidence evidence;
  evidence.device = impl_->device.identity();
  evidence.judge_version = kJudgeVersion;
  for (const std::string& check : options.without) evidence.judge_version += " without " + check;
  const auto begun = std::chrono::steady_clock::now();
  KW_ASSIGN(CompileResult compiled,
            impl_->compiler.compile({candidate.source, impl_->device.arch(), {}}, stop));
  evidence.counters["seconds.compile"] = milliseconds_since(begun) / 1e3;
  if (const auto* failure = std::get_if<CompileFailure>(&compiled)) {
    return Rejected{failure->kind, first_error(*failure), {{"check", "V7"}}, std::move(evidence)};
  }
  const CompiledModule& module = std::get<CompiledModule>(compiled);
  evidence.compiler = module.compiler;
  const auto deadline = std::chrono::steady_clock::now() + options.deadline;
  const bool cuda = evidence.device.klass == "cuda";
  const bool large = reference_cost(task) > kLargeCost && cuda;
  if (!cuda && reference_cost(task) > kCpuReferenceCost) {
    return Rejected{
        RejectKind::NotVerifiable,
        fmt::format("a task of {:.2g} multiply-adds and elements is beyond this device: "
                    "judge it on a GPU, or a smaller variant here",
                    reference_cost(task)),
        {{"check", "V10"}},
        std::move(evidence)};
  }
  std::unique_ptr<Oracle> answers =
      large ? make_full_size_oracle(task, impl_->reference.oracle(task, deadline))
            : make_cpu_oracle(task);
  const auto oracle = make_timed_oracle(std::move(answers), evidence.counters["wall.reference_ms"]);
  std::uint64_t seed = options.seed;
  if (seed == 0) {
    KW_ASSIGN(seed, draw_seed());
  }
  Session session{task, candidate, module,   impl_->device, *oracle, options,
                  stop, deadline,  evidence, seed,          large};
  record_seed(session, options.seed == 0);
  Battery battery(session);
  KW_ASSIGN(std::optional<Verdict> verdict, battery.run());
  if (verdict) {
    verdict->witness["check"] = verdict->check;
    return Rejected{verdict->kind, std::move(verdict->reason), std::move(verdict->witness),
                    std::move(evidence)};
  }
  return Passed{std::move(evidence), battery.timing};
}

}  // namespace kw::verify

#include <algorithm>
#include <ctime>
#include <thread>

#include "accepts.h"
#include "bench_lines.h"
#include "command.h"
#include "kw/agent/task_source.h"
#include "kw/bench/baselines.h"
#include "kw/bench/report.h"
#include "kw/bench/suites.h"
#include "output.h"
#include "run_tasks.h"

namespace kw::agent {
namespace {

constexpr std::size_t kMaxBaselineBytes = 16u << 20;

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

/// The outcome a result rests on: the winner's last verdict, or that of the last rejected.
Result<Outcome> outcome_of(store::Store& store, const State& state) {
  const CandidateState* shown = state.winner.empty() ? nullptr : state.find(state.winner);
  if (!shown) {
    for (const CandidateState& c : state.candidates) {
      if (c.status == CandidateStatus::Rejected) shown = &c;
    }
  }
  if (shown) {
    KW_ASSIGN(const auto verdicts, store.verdicts(shown->id));
    for (const store::VerdictRecord& v : verdicts) {
      if (v.id == shown->verdict) return v.outcome;
    }
  }
  std::string why(to_string(state.status.value_or(JobStatus::Failed)));
  if (state.error) why += ": " + state.error->message;
  return Rejected{RejectKind::NotVerifiable, why, {}, {}};
}

std::string kernel_of(const State& state) {
  const CandidateState* winner = state.winner.empty() ? nullptr : state.find(state.winner);
  if (!winner) return {};
  if (state.from_memory) return "memory";
  if (winner->proposer == ProposerKind::Template) return "templates";
  return fmt::format("{} {}", to_string(winner->proposer), winner->generator);
}

class BenchCommand final : public Command {
 public:
  std::string name() const override { return "bench"; }
  std::string about() const override { return "run a suite and report it"; }
  std::string examples() const override {
    return "  kernelwright bench first41 --device vm\n"
           "  kernelwright bench kernelbench20 --device cuda --tune 200 --baselines eager.jsonl "
           "-o results/h100\n"
           "  kernelwright bench kernelbench --level 1,2,3 --device cuda --policy torch --lines "
           "h100.jsonl "
           "--seconds 420 --shard 1/2 -o results/h100";
  }
  void declare(Arguments& a) override {
    a.positional("suite", suite_, "a suite: " + suites(), true);
    a.option("--level", level_, "levels, problems and ranges of KernelBench, as in 1,2/14,3/20-29, for the suite kernelbench");
    a.option("--baselines", baselines_, "JSON lines of kernelbench/python/baseline.py");
    a.option("-o,--output", output_, "write OUTPUT.json, OUTPUT.md and OUTPUT.html");
    a.option("--certificates", certificates_,
             "folder for the certificate of each accept (default: beside the store; with --lines: "
             "none)");
    a.option("--budget", budget_s_, 0.1, 1e6, "seconds of the race for each task");
    a.option("--tune", tune_, 0, 100000, "configurations tried around each winner (GPU)");
    a.option("--tune-budget", tune_s_, 0.1, 1e6, "seconds of tuning for each task");
    a.option("--templates", templates_, 1, 64, "candidates of the built-in generator");
    a.flag("--no-memory", no_memory_, "generate everything again");
    a.option("--lines", lines_.path,
             "in parts: a file of JSON lines, one a task, to go on from and to add to; the first "
             "candidate that passes is the answer, and nothing is remembered");
    a.option("--shard", lines_.shard, "with --lines: a part of the suite, as in 1/3");
    a.option("--seconds", lines_.seconds, 0, 1e6, "with --lines: begin nothing after these");
    a.option("--deadline", lines_.deadline, 1, 1e5, "with --lines: seconds of one judgement");
    a.option("--policy", lines_.policy,
             "with --lines: ieee, tf32, half, or torch (what PyTorch's defaults allow)");
    a.flag("--quick", lines_.quick, "with --lines: a first look instead of the whole battery");
    a.option(
        "--modelnew", lines_.modelnew,
        "with --lines: a run folder of KernelBench's that gets each accepted kernel as a module");
    a.flag("--retime", lines_.retime, "with --lines: time each again in a fresh process");
    a.flag("--retry", lines_.retry, "with --lines: try again what was not solved");
    a.option("--parallel", parallel_, 0, 256,
             "tasks at once; 0: all cores on the virtual machine, "
             "one on a GPU");
  }

  Result<int> run(const Invocation& invocation) override {
    KW_ASSIGN(const std::string device, resolve_device(invocation.globals.device));
    const bool vm = device == "vm";
    const bool sized = suite_.ends_with("@small") || suite_.ends_with("@full");
    if (!level_.empty() && !suite_.starts_with("kernelbench")) {
      return fail(Errc::InvalidArgument, "--level selects from the suite kernelbench, not '{}'",
                  suite_);
    }
    const std::string wanted = level_.empty() ? suite_ : with_levels();
    KW_ASSIGN(const bench::Suite suite,
              bench::find_suite(vm && !sized ? wanted + "@small" : wanted));
    bench::Baselines baselines;
    if (!baselines_.empty()) {
      KW_ASSIGN(const std::string lines, read_file(baselines_, kMaxBaselineBytes));
      auto parsed = bench::parse_baselines(lines);
      if (!parsed) return wrap(parsed.error(), baselines_);
      baselines = std::move(*parsed);
    }
    if (!lines_.path.empty()) return in_lines(invocation, suite, device, baselines);
    RunWatch watch(invocation.globals.progress, suite.tasks.size());
    WorkshopOptions options;
    options.store = invocation.globals.store;
    options.observer = watch.observer();
    KW_ASSIGN(const auto workshop, Workshop::open(std::move(options)));
    RunOptions run;
    run.kind = "bench";
    run.wish.device = device;
    run.wish.objective = vm ? Objective::First : Objective::Best;
    run.wish.memory = !no_memory_;
    run.wish.budget_s = budget_s_;
    run.wish.templates = templates_;
    run.wish.tune_evaluations = vm ? 0 : tune_;
    run.wish.tune_s = tune_s_;
    const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    run.parallel = parallel_ > 0 ? parallel_ : vm ? cores : 1;
    const auto runs = run_tasks(*workshop, suite.tasks, run, watch, invocation.interrupted);
    KW_RETURN_IF_ERROR(certify(*workshop, invocation.globals.store, vm, runs));
    KW_ASSIGN(const bench::Report report, report_of(*workshop, suite, device, runs, baselines));
    // What was measured is written even when the suite was cut short.
    if (!output_.empty()) KW_RETURN_IF_ERROR(bench::write_report(report, output_));
    if (invocation.interrupted.stop_requested()) {
      return fail(Errc::Cancelled, "interrupted; the same command goes on from here");
    }
    KW_RETURN_IF_ERROR(print(
        (invocation.globals.json ? bench::to_json(report) : bench::to_markdown(report)) + "\n"));
    return exit_code_of(runs);
  }

 private:
  Result<int> in_lines(const Invocation& invocation, const bench::Suite& suite,
                       const std::string& device, const bench::Baselines& baselines) {
    lines_.templates = templates_;
    lines_.certificates = certificates_;
    lines_.parallel = parallel_;
    KW_ASSIGN(LinesRun run, run_in_lines(invocation, suite, device, baselines, lines_));
    run.report.environment["date"] = today();
    if (!output_.empty()) KW_RETURN_IF_ERROR(bench::write_report(run.report, output_));
    if (invocation.interrupted.stop_requested() || run.left > 0) {
      const Errc code =
          invocation.interrupted.stop_requested() ? Errc::Cancelled : Errc::DeadlineExceeded;
      return fail(code, "{} tasks are left; the same command goes on from here", run.left);
    }
    KW_RETURN_IF_ERROR(print(
        (invocation.globals.json ? bench::to_json(run.report) : bench::to_markdown(run.report)) +
        "\n"));
    return std::ranges::all_of(run.report.results, &bench::TaskResult::solved) ? 0 : 1;
  }

  /// Certificates of all that was accepted, as `generate` leaves them.
  Status certify(Workshop& workshop, const std::string& store, bool vm,
                 const std::vector<TaskRun>& runs) const {
    std::filesystem::path directory = certificates_;
    if (certificates_.empty()) {
      KW_ASSIGN(directory, default_certificates(store));
    }
    for (const TaskRun& run : runs) {
      KW_ASSIGN(const auto accept, accept_of(workshop.store(), run));
      if (!accept) continue;
      KW_ASSIGN(const Task task, load_task(run.name, vm));
      KW_ASSIGN(const std::filesystem::path path,
                write_certificate(workshop.store(), task, *accept, directory));
    }
    return {};
  }

  /// "kernelbench@small" and "1,3" as "kernelbench:1,3@small".
  std::string with_levels() const {
    const std::size_t at = std::min(suite_.find('@'), suite_.size());
    return suite_.substr(0, at) + ":" + level_ + suite_.substr(at);
  }

  static std::string suites() { return fmt::format("{}", fmt::join(bench::suite_names(), ", ")); }

  static Result<bench::Report> report_of(Workshop& workshop, const bench::Suite& suite,
                                         const std::string& device,
                                         const std::vector<TaskRun>& runs,
                                         const bench::Baselines& baselines) {
    bench::Report report;
    report.suite = suite.name;
    report.policy = "ieee";
    KW_ASSIGN(const DeviceInfo info, workshop.judging().device(device));
    report.device = info.identity;
    report.environment = baselines.machine;
    report.environment["date"] = today();
    report.environment["kernelwright"] = KW_VERSION;
    for (const TaskRun& run : runs) {
      bench::TaskResult result;
      result.task = run.name;
      result.seconds = run.seconds;
      result.klass = bench::parse_task_class(run.sanity.klass).value_or(bench::TaskClass::Unknown);
      result.trivial = run.sanity.guesses;
      if (run.state) {
        KW_ASSIGN(result.outcome, outcome_of(workshop.store(), *run.state));
        result.kernel = kernel_of(*run.state);
        const auto* good = std::get_if<Passed>(&result.outcome);
        if (good) report.environment["compiler"] = good->evidence.compiler;
      } else {
        result.outcome = Rejected{RejectKind::NotVerifiable, run.state.error().message, {}, {}};
      }
      if (const bench::Baseline* baseline = baselines.find(run.name)) result.baseline = *baseline;
      report.results.push_back(std::move(result));
    }
    return report;
  }

  std::string level_;
  LinesOptions lines_;
  std::string suite_, baselines_, output_, certificates_;
  double budget_s_ = 300, tune_s_ = 60;
  int tune_ = 0, templates_ = 3, parallel_ = 0;
  bool no_memory_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() { return std::make_unique<BenchCommand>(); }

}  // namespace kw::agent

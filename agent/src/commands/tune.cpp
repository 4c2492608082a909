#include "command.h"
#include "kw/agent/task_source.h"
#include "kw/core/json.h"
#include "kw/search/simulate.h"
#include "output.h"
#include "run_tasks.h"

namespace kw::agent {
namespace {

std::string simulation_text(const search::SimulationReport& report) {
  std::string out = fmt::format("{} on {}: {} configurations, {} valid, optimum {}\n\n",
                                report.kernel, report.device, report.configurations, report.valid,
                                microseconds_text(report.optimum_us));
  std::vector<std::vector<std::string>> rows{
      {"strategy", "evaluations", "median", "quartiles", "worst"}};
  for (const search::StrategyScore& score : report.scores) {
    for (const search::Checkpoint& c : score.checkpoints) {
      rows.push_back(
          {std::string(to_string(score.strategy)), fmt::format("{}", c.evaluations),
           fmt::format("{:.1f} %", 100 * c.median),
           fmt::format("{:.1f} .. {:.1f} %", 100 * c.lower_quartile, 100 * c.upper_quartile),
           fmt::format("{:.1f} %", 100 * c.worst)});
    }
  }
  return out + table(rows) +
         fmt::format("\nshare of the optimum reached, over {} seeds\n", report.seeds);
}

class TuneCommand final : public Command {
 public:
  std::string name() const override { return "tune"; }
  std::string about() const override { return "search the parameters of a task's kernel on a GPU"; }
  std::string examples() const override {
    return "  kernelwright tune kernelbench:1/1 --evaluations 300\n"
           "  kernelwright tune --simulate convolution_milo_A4000.json.gz";
  }
  void declare(Arguments& a) override {
    a.positional("task", task_, "what to tune", false);
    a.option("--evaluations", evaluations_, 1, 100000, "configurations tried");
    a.option("--budget", seconds_, 0.1, 1e6, "seconds of tuning");
    a.option("--simulate", simulate_,
             "a recorded space (Kernel Tuner's JSON, may be gzipped) instead of a GPU");
    a.option("--seeds", seeds_, 1, 100000, "searches per strategy, when simulating");
  }

  Result<int> run(const Invocation& invocation) override {
    if (task_.empty() == simulate_.empty()) {
      return fail(Errc::InvalidArgument, "tune needs a task or --simulate FILE, one of the two");
    }
    if (!simulate_.empty()) return simulated(invocation);
    KW_ASSIGN(const std::string device, resolve_device(invocation.globals.device));
    if (device == "vm") {
      return fail(
          Errc::Unavailable,
          "the virtual machine has no time to tune by: run this on a GPU (--device cuda), or "
          "try the search on a recorded space with --simulate FILE");
    }
    RunWatch watch(invocation.globals.progress, 1);
    WorkshopOptions options;
    options.store = invocation.globals.store;
    options.observer = watch.observer();
    KW_ASSIGN(const auto workshop, Workshop::open(std::move(options)));
    RunOptions run;
    run.kind = "tune";
    run.wish.device = device;
    run.wish.objective = Objective::Best;
    run.wish.tune_evaluations = evaluations_;
    run.wish.tune_s = seconds_;
    const auto runs = run_tasks(*workshop, {task_}, run, watch, invocation.interrupted);
    if (!runs[0].state) return tl::unexpected(runs[0].state.error());
    const State& state = *runs[0].state;
    if (invocation.globals.json) {
      KW_RETURN_IF_ERROR(
          print(dump({{"v", 1},
                      {"kind", "tune"},
                      {"job", runs[0].job},
                      {"sanity", Json::parse(verify::to_json(runs[0].sanity), nullptr, false)},
                      {"result", Json::parse(summary_json(state), nullptr, false)}}) +
                "\n"));
    } else {
      const CandidateState* winner = state.winner.empty() ? nullptr : state.find(state.winner);
      KW_RETURN_IF_ERROR(print(
          winner ? fmt::format("{}: {} by {}\nkernel {}\ntask {}\njob {}\n", task_,
                               microseconds_text(winner->median_us.value_or(0)), winner->generator,
                               winner->id, describe(runs[0].sanity), runs[0].job)
                 : fmt::format("{}: {}\ntask {}\njob {}\n", task_,
                               to_string(state.status.value_or(JobStatus::Failed)),
                               describe(runs[0].sanity), runs[0].job)));
    }
    return exit_code_of(runs);
  }

 private:
  Result<int> simulated(const Invocation& invocation) const {
    KW_ASSIGN(const search::TuningCache cache, search::read_tuning_cache(simulate_));
    search::SimulationOptions options;
    options.seeds = static_cast<std::size_t>(seeds_);
    KW_ASSIGN(const search::SimulationReport report,
              search::simulate(cache, options, invocation.interrupted));
    KW_RETURN_IF_ERROR(
        print(invocation.globals.json ? to_json(report) + "\n" : simulation_text(report)));
    return 0;
  }

  std::string task_, simulate_;
  int evaluations_ = 200, seeds_ = 100;
  double seconds_ = 120;
};

}  // namespace

std::unique_ptr<Command> make_tune_command() { return std::make_unique<TuneCommand>(); }

}  // namespace kw::agent

#include <algorithm>
#include <thread>

#include "accepts.h"
#include "command.h"
#include "kw/agent/task_source.h"
#include "kw/core/json.h"
#include "output.h"
#include "run_tasks.h"
#include "wish.h"

namespace kw::agent {
namespace {

/// A run, and what it leaves.
struct Left {
  std::optional<store::VerdictRecord> accept;
  std::string certificate;  // path
};

const Evidence* evidence_of(const Left& left) {
  const auto* good = left.accept ? std::get_if<Passed>(&left.accept->outcome) : nullptr;
  return good == nullptr ? nullptr : &good->evidence;
}

Json run_json(const TaskRun& run, const Left& left) {
  Json out = {{"task", run.name},
              {"job", run.job},
              {"seconds", number_json(run.seconds)},
              {"sanity", Json::parse(verify::to_json(run.sanity), nullptr, false)}};
  if (!run.state) {
    out["status"] = "failed";
    out["error"] = {{"code", to_string(run.state.error().code)},
                    {"message", run.state.error().message}};
    return out;
  }
  Json summary = Json::parse(summary_json(*run.state), nullptr, false);
  for (auto& [key, value] : summary.items()) {
    if (key != "v" && key != "task") out[key] = std::move(value);
  }
  out["resumed"] = run.resumed;
  if (!left.certificate.empty()) out["certificate"] = left.certificate;
  if (const Evidence* evidence = evidence_of(left)) {
    for (const auto& [check, seconds] : judging_costs(*evidence)) {
      out["judging_s"][check] = number_json(seconds);
    }
  }
  return out;
}

std::string proposer_text(const CandidateState& winner, bool from_memory) {
  if (from_memory) return "memory";
  return std::string(to_string(winner.proposer));
}

std::vector<std::string> row(const TaskRun& run) {
  if (!run.state) {
    return {run.name, "failed", "", "", "", seconds_text(run.seconds), run.state.error().message};
  }
  const State& state = *run.state;
  const CandidateState* winner = state.winner.empty() ? nullptr : state.find(state.winner);
  std::string note;
  if (!winner && state.error && state.status == JobStatus::Failed) note = state.error->message;
  if (!winner && note.empty()) {
    for (const CandidateState& c : state.candidates) {
      if (c.status == CandidateStatus::Rejected) note = c.reason;
    }
  }
  return {run.name,
          std::string(to_string(state.status.value_or(JobStatus::Failed))),
          run.sanity.klass.empty() ? "-" : run.sanity.klass,
          winner ? proposer_text(*winner, state.from_memory) : "",
          winner && winner->median_us ? microseconds_text(*winner->median_us) : "-",
          seconds_text(run.seconds),
          winner ? winner->generator : note};
}

std::string one_task(const TaskRun& run, const Left& left) {
  const State& state = *run.state;
  const std::string job = fmt::format("job {}\n", run.job);
  const CandidateState* winner = state.winner.empty() ? nullptr : state.find(state.winner);
  std::string out;
  if (winner) {
    out = fmt::format(
        "{}: solved in {} by {} ({})\n", run.name, seconds_text(run.seconds), winner->generator,
        state.from_memory ? fmt::format("from memory, {}; judged again on a fresh seed, nothing "
                                        "was generated",
                                        winner->match)
                          : fmt::format("{}; judged again on a fresh seed in a fresh process",
                                        to_string(winner->proposer)));
    if (winner->median_us) out += fmt::format("time {}\n", microseconds_text(*winner->median_us));
    out += fmt::format("kernel {}\n", winner->id);
    const Evidence* evidence = evidence_of(left);
    const std::string cost = evidence == nullptr ? "" : judging_text(*evidence);
    if (!cost.empty()) out += cost + "\n";
    if (!left.certificate.empty()) out += fmt::format("certificate {}\n", left.certificate);
  } else {
    out =
        fmt::format("{}: {} after {}\n", run.name,
                    to_string(state.status.value_or(JobStatus::Failed)), seconds_text(run.seconds));
    if (state.error && state.status == JobStatus::Failed) out += state.error->message + "\n";
  }
  out += fmt::format("task {}\n", describe(run.sanity));
  for (const CandidateState& c : state.candidates) {
    if (c.status != CandidateStatus::Rejected) continue;
    out += fmt::format("rejected {} ({}): {}\n", c.generator, to_string(c.proposer), c.reason);
  }
  for (const Finding& f : state.findings) {
    const std::string where =
        f.lane < 0 ? "" : fmt::format(" (lane {}, round {})", f.lane, f.round);
    out += fmt::format("finding {}{}: {}\n", to_string(f.kind), where, f.text);
  }
  if (state.requests > 0) {
    out += fmt::format(
        "model: {} answers, {} tokens in, {} out{}\n", state.requests, state.input_tokens,
        state.output_tokens,
        state.unknown_usage > 0 ? fmt::format(", {} without usage", state.unknown_usage) : "");
  }
  return out + job;
}

class GenerateCommand final : public Command {
 public:
  std::string name() const override { return "generate"; }
  std::string about() const override { return "turn tasks into judged kernels"; }
  std::string examples() const override {
    return "  kernelwright generate kernelbench:1/19\n"
           "  kernelwright generate 'format:nvfp4/gemv?m=1&n=4096&k=4096' --device cuda\n"
           "  kernelwright generate model.py --objective best --budget 120 --tune 200\n"
           "  kernelwright generate first41 --device vm\n"
           "  kernelwright generate kernelbench:1/1 --endpoint http://127.0.0.1:8000/v1 --model "
           "NAME";
  }
  void declare(Arguments& a) override {
    a.positional("tasks", tasks_,
                 "path/model.py, path/task.json, kernelbench:1/19[@small], "
                 "format:nvfp4/gemv?m=1&n=4096&k=4096, or a suite",
                 true);
    wish_.declare(a);
    a.option("--certificates", certificates_,
             "directory for the certificate of each accept (default: beside the store)");
    a.option("--parallel", parallel_, 0, 256, "tasks at once; 0: as many as there are cores");
  }

  Result<int> run(const Invocation& invocation) override {
    Globals globals = invocation.globals;
    KW_ASSIGN(globals.device, resolve_device(globals.device));
    std::vector<std::string> names;
    for (const std::string& each : tasks_) {
      const auto expanded = expand_suite(each, globals.device == "vm");
      names.insert(names.end(), expanded.begin(), expanded.end());
    }
    RunWatch watch(invocation.globals.progress, names.size());
    WorkshopOptions options;
    options.store = invocation.globals.store;
    options.observer = watch.observer();
    KW_ASSIGN(const auto workshop, Workshop::open(std::move(options)));
    RunOptions run;
    KW_ASSIGN(run.wish, wish_.wish(globals, workshop->store()));
    run.parallel = parallel_ > 0
                       ? parallel_
                       : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    const auto runs = run_tasks(*workshop, names, run, watch, invocation.interrupted);
    if (runs.size() == 1 && !runs[0].state) return tl::unexpected(runs[0].state.error());
    KW_ASSIGN(const std::vector<Left> left, leave(*workshop, globals, runs));
    KW_RETURN_IF_ERROR(print(invocation.globals.json ? document(runs, left) : text(runs, left)));
    return exit_code_of(runs);
  }

 private:
  /// Certificates of all that was accepted.
  Result<std::vector<Left>> leave(Workshop& workshop, const Globals& globals,
                                  const std::vector<TaskRun>& runs) const {
    std::filesystem::path directory = certificates_;
    if (certificates_.empty()) {
      KW_ASSIGN(directory, default_certificates(globals.store));
    }
    std::vector<Left> all(runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      KW_ASSIGN(all[i].accept, accept_of(workshop.store(), runs[i]));
      if (!all[i].accept) continue;
      KW_ASSIGN(const Task task, load_task(runs[i].name, globals.device == "vm"));
      KW_ASSIGN(const std::filesystem::path path,
                write_certificate(workshop.store(), task, *all[i].accept, directory));
      all[i].certificate = path.string();
    }
    return all;
  }

  static std::string document(const std::vector<TaskRun>& runs, const std::vector<Left>& left) {
    Json results = Json::array();
    std::int64_t solved = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const TaskRun& run = runs[i];
      results.push_back(run_json(run, left[i]));
      solved += run.state && run.state->status == JobStatus::Solved;
    }
    return dump({{"v", 1},
                 {"kind", "generate"},
                 {"solved", solved},
                 {"tasks", runs.size()},
                 {"results", std::move(results)}}) +
           "\n";
  }

  static std::string text(const std::vector<TaskRun>& runs, const std::vector<Left>& left) {
    if (runs.size() == 1) return one_task(runs[0], left[0]);
    std::vector<std::vector<std::string>> rows{
        {"task", "result", "class", "from", "time", "took", "kernel or reason"}};
    std::size_t solved = 0, sound = 0, sound_solved = 0;
    std::vector<double> took;
    for (const TaskRun& run : runs) {
      rows.push_back(row(run));
      const bool done = run.state && run.state->status == JobStatus::Solved;
      const bool counts = run.sanity.klass != "degenerate";
      solved += done;
      sound += counts;
      sound_solved += done && counts;
      took.push_back(run.seconds);
    }
    std::nth_element(took.begin(), took.begin() + std::ssize(took) / 2, took.end());
    std::string certificates;
    for (const Left& one : left) {
      if (one.certificate.empty()) continue;
      certificates = fmt::format("certificates in {}\n",
                                 std::filesystem::path(one.certificate).parent_path().string());
      break;
    }
    return table(rows) +
           fmt::format("\n{} of {} tasks solved, {} of {} sound ones; median {} a task\n", solved,
                       runs.size(), sound_solved, sound, seconds_text(took[took.size() / 2])) +
           judging_median(left) + certificates;
  }

  /// "judging: median 0.41 s a kernel; V11 38 %, ..." over all accepts.
  static std::string judging_median(const std::vector<Left>& left) {
    std::vector<double> totals;
    Evidence all;
    for (const Left& one : left) {
      const Evidence* evidence = evidence_of(one);
      if (evidence == nullptr) continue;
      double total = 0;
      for (const auto& [check, seconds] : judging_costs(*evidence)) {
        total += seconds;
        all.counters["seconds." + check] += seconds;
      }
      if (total > 0) totals.push_back(total);
    }
    if (totals.empty()) return {};
    std::nth_element(totals.begin(), totals.begin() + std::ssize(totals) / 2, totals.end());
    return fmt::format("judging: median {} a kernel; all: {}\n",
                       seconds_text(totals[totals.size() / 2]), judging_text(all));
  }

  std::vector<std::string> tasks_;
  std::string certificates_;
  WishOptions wish_;
  int parallel_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_generate_command() { return std::make_unique<GenerateCommand>(); }

}  // namespace kw::agent

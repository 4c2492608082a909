// What the control plane costs for a candidate when compiling and running cost nothing: record,
// lease, complete, decide, append, with a real store on disk (in the temporary directory: set
// TMPDIR to measure another).
//   control_cost [CANDIDATES...]     default 100 400 1600
// Prints CPU and wall time a candidate, the least of three runs. Exits with 1 when the CPU time is
// above what the design allows.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "fakes/scripted_steps.h"
#include "fakes/temp_dir.h"

namespace kw::agent {
namespace {

constexpr double kAllowedMs = 5.0;  // a candidate
constexpr int kRuns = 3;

struct Cost {
  double cpu_ms = 0;
  double wall_ms = 0;
};

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

store::NewJob job_of(int candidates) {
  JobSpec spec;
  spec.task_name = "t";
  spec.keys = {"semantic", "shape"};
  spec.device = "vm";
  spec.device_class = "ptxvm";
  spec.memory = false;
  spec.objective = Objective::Best;
  spec.max_candidates = candidates;
  store::NewJob job;
  job.kind = "generate";
  job.task_key = spec.keys.shape;
  job.spec = to_json(spec);
  return job;
}

/// One job whose generator offers `candidates` kernels, all of which pass at once.
Result<Cost> run(int candidates) {
  const fakes::TempDir dir;
  KW_ASSIGN(const auto store, store::Store::open(dir / "s.sqlite"));
  fakes::ScriptedSteps steps(
      [&](const StepContext& context, const StepBody& body, std::stop_token) -> Result<Input> {
        if (const auto* judge = std::get_if<JudgeStep>(&body))
          return fakes::passes(context, *judge);
        std::vector<std::string> many;
        for (int i = 0; i < candidates; ++i) many.push_back(fmt::format("candidate-{}", i));
        return fakes::proposes(context, ProposerKind::Template, many);
      });
  EngineOptions options;
  options.judge_threads = 2;
  options.model_threads = 1;
  Engine engine(*store, steps, system_clock(), options);

  const double cpu_before = cpu_ms();
  const auto begun = std::chrono::steady_clock::now();
  KW_ASSIGN(const std::string id, engine.submit(job_of(candidates)));
  KW_ASSIGN(const State state, engine.wait(id));
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - begun;
  if (state.status != JobStatus::Solved || std::ssize(state.candidates) != candidates) {
    return fail(Errc::Internal, "the job did not judge its {} candidates", candidates);
  }
  return Cost{(cpu_ms() - cpu_before) / candidates, wall.count() / candidates};
}

int measure(const std::vector<int>& sizes) {
  double worst = 0;
  fmt::print("candidates  CPU ms each  wall ms each\n");
  for (const int candidates : sizes) {
    Cost least{1e9, 1e9};
    for (int i = 0; i < kRuns; ++i) {
      const auto cost = run(candidates);
      if (!cost) {
        fmt::print(stderr, "control_cost: {}\n", cost.error().message);
        return 3;
      }
      least = {std::min(least.cpu_ms, cost->cpu_ms), std::min(least.wall_ms, cost->wall_ms)};
    }
    fmt::print("{:10}  {:11.3f}  {:12.3f}\n", candidates, least.cpu_ms, least.wall_ms);
    worst = std::max(worst, least.cpu_ms);
  }
  if (worst < kAllowedMs) return 0;
  fmt::print(stderr, "control_cost: above the {} ms that the design allows\n", kAllowedMs);
  return 1;
}

}  // namespace
}  // namespace kw::agent

int main(int count, char** arguments) {
  std::vector<int> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::max(1, std::atoi(arguments[i])));
  if (sizes.empty()) sizes = {100, 400, 1600};
  return kw::agent::measure(sizes);
}

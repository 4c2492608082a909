// Times the schedules of convolution kernels on a GPU, whole plans and their kernels one by one.
//   convolution_bench [--device cuda] [--policy tf32] [--judge] [--variants] [TASKS...]
// A line per candidate: its form and parameters, the plan's median time, then each kernel's. With
// --variants other tiles than the chosen one too; with --judge the task's small shapes are judged
// first (with --device vm that is all). Kernels alone find whatever the buffers hold, which their
// time does not depend on.

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <set>
#include <span>

#include "kw/bench/tasks.h"
#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/process/role.h"
#include "kw/verify/device.h"
#include "kw/verify/judge.h"
#include "kw/verify/reference_role.h"
#include "kw/verify/roles.h"
#include "trial_plan.h"

namespace kw::verify {
namespace {

using Tile = std::vector<std::pair<std::string, std::int64_t>>;

Tile tile(std::int64_t m, std::int64_t n, std::int64_t warp_m, std::int64_t warp_n,
          std::int64_t stages, std::int64_t blocks) {
  return {{"tile_m", m},      {"tile_n", n},      {"warp_m", warp_m}, {"warp_n", warp_n},
          {"stages", stages}, {"blocks", blocks}, {"splits", 1}};
}
const std::vector<Tile> kTiles = {
    tile(128, 128, 64, 64, 3, 2), tile(128, 128, 64, 32, 3, 1), tile(128, 128, 64, 32, 3, 2),
    tile(256, 128, 64, 64, 4, 1), tile(256, 64, 64, 64, 2, 2),  tile(256, 64, 64, 32, 2, 1),
    tile(128, 64, 64, 32, 3, 3),  tile(128, 64, 32, 64, 3, 2),  tile(128, 32, 32, 32, 3, 3),
    tile(128, 96, 32, 96, 3, 2),
};

struct Options {
  std::string device = "cuda", policy = "torch";
  bool judge = false, variants = false;
  std::vector<std::string> tasks;
};

codegen::Target target_of(const Device& device) {
  codegen::Target target;
  target.arch = device.arch();
  target.sm_count = device.limits().sm_count;
  target.shared_per_block = device.limits().shared_per_block;
  target.l2_bytes = device.limits().l2_bytes;
  return target;
}

/// The candidates of a task, and each under the other tiles that its space allows.
std::vector<Candidate> candidates_of(const Task& task, const codegen::Target& target,
                                     bool variants) {
  const auto generated = codegen::generate(task, target, 4);
  if (!generated) {
    fmt::print("{}: {}\n", task.name, generated.error().message);
    return {};
  }
  std::vector<Candidate> all;
  std::set<std::string> seen;
  for (const Candidate& c : *generated) {
    if (c.cover.find("contraction") == std::string::npos || !seen.insert(c.source).second) continue;
    all.push_back(c);
    if (!variants || c.cover.find("tf32") == std::string::npos) continue;
    for (const Tile& t : kTiles) {
      Config config(c.parameters.begin(), c.parameters.end());
      for (auto& [key, value] : config) {
        for (const auto& [name, chosen] : t) {
          if (key.ends_with("_" + name)) value = chosen;
        }
      }
      const auto other = codegen::with_parameters(task, c, config, target);
      if (other && seen.insert(other->source).second) all.push_back(*other);
    }
  }
  return all;
}

std::string microseconds(Device& device, RunRequest request) {
  request.timing = TimingRequest{.samples = 15, .max_total_ms = 300, .min_total_ms = 10};
  const auto reply = device.run(request, {});
  if (!reply) return reply.error().message;
  if (reply->fault) return reply->fault->reason;
  return reply->timing ? fmt::format("{:9.1f}", reply->timing->median_us) : "no time";
}

void time_one(Device& device, const Task& task, const Candidate& c, const CompileResult& compiled) {
  std::string text = fmt::format("  {}", c.cover.substr(0, 48));
  for (const auto& [key, value] : c.parameters) text += fmt::format(" {}", value);
  const auto* module = std::get_if<CompiledModule>(&compiled);
  const auto plan = plan_trial(task, "", Family::AsDrawn, kNoValue, 1);
  if (module == nullptr || !plan) {
    fmt::print("{}: does not compile\n", text);
    return;
  }
  RunRequest request;
  request.module = *module;
  request.plan = c.plan;
  request.trials = {plan->trial()};
  fmt::print("{}\n    all {}", text, microseconds(device, request));
  for (const PlanNode& node : c.plan.run) {
    const auto* kernel = std::get_if<KernelNode>(&node.what);
    if (kernel == nullptr) continue;
    request.plan.run = {node};
    fmt::print(" | {} {}", kernel->kernel, microseconds(device, request));
  }
  fmt::print("\n");
  std::fflush(stdout);
}

std::string reason_of(const Outcome& outcome) {
  const std::string json = to_json(outcome);
  const auto at = json.rfind("\"reason\"");
  return at == std::string::npos ? json.substr(0, 400) : json.substr(at, 700);
}

void judge_small(Compiler& compiler, Device& device, const std::string& name,
                 const Options& options) {
  const auto task = bench::find_task(name + "@small");
  if (!task) return;
  Task judged = *task;
  if (options.policy != "torch") judged.policy = parse_policy(options.policy).value();
  const auto candidates = codegen::generate(judged, codegen::virtual_machine_target(), 3);
  if (!candidates) return;
  Judge judge(compiler, device);
  for (const Candidate& c : *candidates) {
    if (c.cover.find("contraction") == std::string::npos) continue;
    const auto outcome = judge.judge(judged, c, {.seed = 7}, {});
    const bool passed = outcome && std::holds_alternative<Passed>(*outcome);
    fmt::print("  judged {} {}\n", c.cover.substr(0, 40),
               passed     ? "passed"
               : !outcome ? outcome.error().message
                          : reason_of(*outcome));
    break;
  }
}

Result<int> run(std::span<char*> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view text = arguments[i];
    const bool value = i + 1 < arguments.size();
    if (text == "--device" && value)
      options.device = arguments[++i];
    else if (text == "--policy" && value)
      options.policy = arguments[++i];
    else if (text == "--judge")
      options.judge = true;
    else if (text == "--variants")
      options.variants = true;
    else
      options.tasks.emplace_back(text);
  }
  KW_ASSIGN(const auto device, open_device(options.device));
  compile::CompileService compiler({.processes = 8});
  for (const std::string& name : options.tasks) {
    fmt::print("{}\n", name);
    KW_ASSIGN(Task task, bench::find_task(name));
    if (options.policy != "torch") {
      KW_ASSIGN(task.policy, parse_policy(options.policy));
    }
    if (options.judge) judge_small(compiler, *device, name, options);
    if (options.device == "vm") continue;
    const auto candidates = candidates_of(task, target_of(*device), options.variants);
    std::vector<std::future<Result<CompileResult>>> compiled;
    for (const Candidate& c : candidates) {
      compiled.push_back(std::async(std::launch::async, [&] {
        return compiler.compile({c.source, device->arch(), {}}, {});
      }));
    }
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const auto result = compiled[i].get();
      if (result) time_one(*device, task, candidates[i], *result);
    }
  }
  return 0;
}

}  // namespace
}  // namespace kw::verify

int main(int argc, char** argv) {
  using namespace kw;
  const process::Role roles[] = {compile::compile_role(), verify::vm_role(), verify::cuda_role(),
                                 verify::reference_role()};
  if (const auto code = process::run_role_if_asked(argc, argv, roles)) return *code;
  const auto code = verify::run(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (code) return *code;
  fmt::print(stderr, "error: {}\n", code.error().message);
  return 3;
}

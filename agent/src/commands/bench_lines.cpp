#include "bench_lines.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "accepts.h"
#include "kw/agent/modelnew.h"
#include "kw/agent/sanity.h"
#include "kw/agent/task_source.h"
#include "kw/agent/workshop.h"
#include "kw/core/keys.h"
#include "output.h"
#include "shard.h"
#include "sweep.h"

namespace kw::agent {
namespace {

constexpr std::size_t kMaxLinesBytes = 256u << 20;

/// By task and the policy in effect: one file may hold a suite under several.
using Known = std::map<std::pair<std::string, std::string>, bench::TaskResult>;

Result<Known> read_known(const LinesOptions& options) {
  Known known;
  if (!std::filesystem::exists(options.path)) return known;
  KW_ASSIGN(const std::string text, read_file(options.path, kMaxLinesBytes));
  auto results = bench::parse_result_lines(text);
  if (!results) return wrap(results.error(), options.path);
  for (bench::TaskResult& result : *results) {
    std::pair key(result.task, result.policy);
    known.insert_or_assign(std::move(key), std::move(result));  // the last line counts
  }
  return known;
}

std::string describe(const bench::TaskResult& result) {
  const auto* bad = std::get_if<Rejected>(&result.outcome);
  std::string text = bad ? fmt::format("{}: {}", to_string(bad->kind), bad->reason.substr(0, 120))
                         : std::string("passed");
  text += fmt::format(", {}", to_string(result.klass));
  if (const auto ms = result.ms()) text += fmt::format(", {:.3f} ms", *ms);
  return fmt::format("{}: {} ({})", result.task, text, seconds_text(result.seconds));
}

}  // namespace

Result<Policy> policy_called(const std::string& name) {
  return parse_policy(
      name == "torch" ? "contraction=ieee,convolution=tf32,recurrence=tf32,other=ieee" : name);
}

Result<LinesRun> run_in_lines(const Invocation& invocation, const bench::Suite& suite,
                              const std::string& device, const bench::Baselines& baselines,
                              const LinesOptions& options) {
  const auto begun = std::chrono::steady_clock::now();
  KW_ASSIGN(const Shard shard, parse_shard(options.shard));
  KW_ASSIGN(Known known, read_known(options));
  WorkshopOptions workshop_options;
  workshop_options.store = invocation.globals.store;
  KW_ASSIGN(const auto workshop, Workshop::open(std::move(workshop_options)));
  KW_ASSIGN(const DeviceInfo info, workshop->judging().device(device));

  std::optional<Policy> policy;
  if (!options.policy.empty()) {
    KW_ASSIGN(policy, policy_called(options.policy));
  }
  std::vector<std::string> names;
  std::map<std::string, std::string> in_effect;
  for (std::size_t i = 0; i < suite.tasks.size(); ++i) {
    auto task = load_task(suite.tasks[i], info.identity.klass == "ptxvm");
    if (task && policy) task->policy = *policy;
    // A task that cannot be loaded has no policy; its result says why.
    in_effect[suite.tasks[i]] = task ? to_string(policy_in_effect(*task)) : std::string();
    if (!shard.has(i)) continue;
    const auto before = known.find({suite.tasks[i], in_effect[suite.tasks[i]]});
    const bool again = before != known.end() && options.retry && !before->second.solved();
    if (before == known.end() || again) names.push_back(suite.tasks[i]);
  }

  SweepOptions run;
  run.device = device;
  run.policy = policy;
  run.templates = options.templates;
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  run.judges = options.parallel > 0 ? options.parallel : info.has_time ? 1 : cores;
  run.ahead = info.has_time ? std::max(1, cores - 3) : 1;  // some cores for whoever launches
  run.full = !options.quick;
  run.retime = options.retime;
  run.deadline = std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * options.deadline));
  if (options.seconds > 0) {
    run.until = begun + std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * options.seconds));
  }
  std::ofstream lines(options.path, std::ios::app);
  if (!lines) return fail(Errc::Io, "{}: cannot open it for writing", options.path);
  Progress progress(invocation.globals.progress);
  std::size_t done = 0;
  store::Store& store = workshop->store();
  const auto or_why = [](Result<verify::TaskSanity> sanity) {
    if (sanity) return std::move(*sanity);
    verify::TaskSanity unknown;
    unknown.unasked = sanity.error().message;
    return unknown;
  };
  run.ask = [&](const Task& task) { return or_why(ask_sanity(store, task)); };
  run.learn = [&](const Task& task, const Evidence& evidence) {
    return or_why(learn_sanity(store, task, evidence));
  };
  run.accepted = [&](const Task& task, const Candidate& candidate,
                     const Passed& verdict) -> Status {
    if (!options.certificates.empty()) {
      KW_ASSIGN(const std::filesystem::path path,
                write_certificate(task, candidate, verdict, !options.quick, options.certificates));
    }
    if (!options.modelnew.empty()) {
      KW_ASSIGN(const std::string file, write_modelnew(task, candidate, candidate_id(candidate),
                                                       verdict, info, options.modelnew));
    }
    return {};
  };
  run.ended = [&](const bench::TaskResult& result) {
    lines << bench::to_json_line(result) << std::flush;
    ++done;
    const double elapsed =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const double left =
        elapsed / static_cast<double>(done) * static_cast<double>(names.size() - done);
    progress.show(fmt::format("[{}/{}] {}; about {} left", done, names.size(), describe(result),
                              seconds_text(left)));
  };
  KW_ASSIGN(std::vector<bench::TaskResult> results,
            sweep(workshop->judging(), names, run, invocation.interrupted));
  progress.clear();
  if (!lines) return fail(Errc::Io, "{}: cannot write", options.path);

  LinesRun out;
  out.left = names.size() - results.size();
  for (bench::TaskResult& result : results) {
    std::pair key(result.task, result.policy);
    known.insert_or_assign(std::move(key), std::move(result));
  }
  out.report.suite = suite.name;
  out.report.policy = options.policy.empty() ? "ieee" : options.policy;
  out.report.device = info.identity;
  out.report.environment = baselines.machine;
  out.report.environment["kernelwright"] = KW_VERSION;
  for (const std::string& name : suite.tasks) {
    bench::TaskResult result;
    result.task = name;
    if (const auto found = known.find({name, in_effect[name]}); found != known.end())
      result = found->second;
    if (const bench::Baseline* baseline = baselines.find(name)) result.baseline = *baseline;
    if (const auto* good = std::get_if<Passed>(&result.outcome)) {
      out.report.environment["compiler"] = good->evidence.compiler;
      out.report.environment["judge"] = good->evidence.judge_version;
    }
    out.report.results.push_back(std::move(result));
  }
  return out;
}

}  // namespace kw::agent

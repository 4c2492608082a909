// The red team under NVIDIA's compute-sanitizer: every honest kernel must be clean under every
// tool; of the hostile ones whose fault is one of memory, initialisation, races or barriers, the
// table says which tool sees which.
//   sanitize_red_team [--tools memcheck,racecheck,initcheck,synccheck] [--parallel 8] [--only TEXT]
// JSON lines as it goes and a summary as the last. Exits with 1 when an honest kernel is not clean.
//   sanitize_red_team --run CASE...     what the tool looks at: launches these cases, in this
//   process,
//                                       each buffer in an allocation of exactly its size

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <span>
#include <thread>

#include "kw/compile/service.h"
#include "kw/core/json.h"
#include "kw/launch/bind.h"
#include "kw/launch/launcher.h"
#include "kw/process/role.h"
#include "kw/redteam/redteam.h"
#include "kw/verify/fill.h"
#include "trial_plan.h"

namespace kw::redteam {
namespace {

namespace cu = launch::cu;

constexpr const char* kBegin = "### begin ";
constexpr const char* kEnd = "### end ";

// ---- what the tool looks at

struct Loaded {
  const cu::Table* api;
  launch::DeviceFacts facts;
  launch::PrimaryContext context;
};

Result<std::string> launch_case(const Loaded& gpu, Compiler& compiler, const Case& c) {
  const cu::Table& api = *gpu.api;
  KW_ASSIGN(const CompileResult compiled,
            compiler.compile({c.candidate.source, gpu.facts.arch, {}}, {}));
  const auto* code = std::get_if<CompiledModule>(&compiled);
  if (code == nullptr) return "does not compile";
  KW_ASSIGN(const launch::Module module, launch::load_module(api, code->cubin));
  KW_ASSIGN(const launch::Kernels kernels,
            launch::Kernels::find(api, module.get(), c.candidate.plan));
  launch::BindOptions options{.limits = gpu.facts.limits};
  options.occupancy = [&](const std::string& kernel, std::int64_t threads, std::int64_t shared) {
    return kernels.occupancy(kernel, threads, shared);
  };
  KW_ASSIGN(const launch::BoundPlan plan, launch::bind(c.candidate.plan, options));
  KW_ASSIGN(const launch::Stream stream, launch::make_stream(api));
  KW_ASSIGN(const verify::TrialPlan trial,
            verify::plan_trial(c.task, "", verify::Family::AsDrawn, kNoValue, 20261124));
  std::vector<launch::DeviceMemory> memory(plan.buffers.size());
  launch::Addresses addresses(plan.buffers.size(), 0);
  std::vector<std::vector<std::byte>> kept;
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    if (!plan.buffers[i].is_root(i)) continue;
    KW_ASSIGN(memory[i], launch::allocate(api, static_cast<std::size_t>(plan.buffers[i].bytes)));
    addresses[i] = launch::address(memory[i]);
  }
  for (const verify::BufferFill& fill : trial.fills) {
    const auto buffer = plan.find(fill.buffer);
    if (!buffer) continue;
    KW_ASSIGN(std::vector<std::byte> bytes, verify::materialise(fill));
    kept.push_back(std::move(bytes));
    KW_RETURN_IF_ERROR(launch::check(api,
                                     api.copy_to_device(addresses[*buffer], kept.back().data(),
                                                        kept.back().size(), stream.get()),
                                     "cuMemcpyHtoDAsync"));
  }
  KW_RETURN_IF_ERROR(launch::check(api, api.stream_synchronize(stream.get()), "the inputs"));
  KW_ASSIGN(launch::Launcher launcher, launch::Launcher::prepare(api, plan, kernels, addresses));
  KW_RETURN_IF_ERROR(launcher.enqueue_setup(stream.get()));
  KW_RETURN_IF_ERROR(launcher.enqueue_run(stream.get()));
  KW_RETURN_IF_ERROR(launch::check(api, api.stream_synchronize(stream.get()), "the run"));
  return "ran";
}

Result<int> run_cases(std::span<char*> names) {
  KW_ASSIGN(const std::vector<Case> all, cases());
  KW_ASSIGN(const cu::Table* api, launch::load_driver());
  KW_ASSIGN(launch::DeviceFacts facts, launch::device_facts(*api, 0));
  KW_ASSIGN(launch::PrimaryContext context, launch::PrimaryContext::retain(*api, 0));
  const Loaded gpu{api, std::move(facts), std::move(context)};
  compile::CompileService compiler({.processes = 1});
  for (const char* name : names) {
    const auto found = std::ranges::find(all, std::string_view(name), &Case::name);
    if (found == all.end()) return fail(Errc::NotFound, "no case is called '{}'", name);
    fmt::print("{}{}\n", kBegin, name);
    std::fflush(stdout);
    const auto how = launch_case(gpu, compiler, *found);
    fmt::print("{}{}: {}\n", kEnd, name, how ? *how : how.error().message);
    std::fflush(stdout);
    if (!how) return 0;  // the context may be dead: the next case needs a fresh process
  }
  return 0;
}

// ---- the driver

struct Seen {
  std::string how;                   // "ran", an error, or empty: never begun
  std::vector<std::string> reports;  // of the tool, first lines
};

/// The tool's report headings ("========= Invalid __global__ read of size 4 bytes") by case.
std::map<std::string, Seen> read_reports(const std::string& text) {
  std::map<std::string, Seen> seen;
  std::string current;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    at = end + 1;
    if (line.starts_with(kBegin)) {
      current = line.substr(std::string_view(kBegin).size());
      seen[current];
    } else if (line.starts_with(kEnd)) {
      const std::size_t colon = line.find(": ");
      if (colon != std::string_view::npos) seen[current].how = line.substr(colon + 2);
    } else if (!current.empty() && line.starts_with("========= ") && line.size() > 10 &&
               line[10] != ' ') {
      const std::string_view heading = line.substr(10);
      const bool noise =
          heading.starts_with("COMPUTE-SANITIZER") || heading.starts_with("ERROR SUMMARY") ||
          heading.starts_with("RACECHECK SUMMARY") || heading.starts_with("LEAK SUMMARY") ||
          heading.starts_with("Target") || heading.starts_with("Program hit") ||
          heading.starts_with("Error: process");
      if (!noise && seen[current].reports.size() < 3) seen[current].reports.emplace_back(heading);
    }
  }
  return seen;
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> buffer{};
  for (std::size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), n);
  }
  ::pclose(pipe);
  return text;
}

std::string own_path() {
  std::array<char, 4096> path{};
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return n > 0 ? std::string(path.data(), static_cast<std::size_t>(n)) : "sanitize_red_team";
}

bool is_sanitizer_case(const Case& c) {
  return std::ranges::any_of(c.kinds, [](RejectKind kind) {
    return kind == RejectKind::OutOfBounds || kind == RejectKind::Uninitialised ||
           kind == RejectKind::Race || kind == RejectKind::BarrierDivergence ||
           kind == RejectKind::Misaligned;
  });
}

struct Work {
  std::string tool;
  std::vector<const Case*> cases;  // in one process
};

struct Totals {
  std::mutex mutex;
  std::set<std::string> unclean, unrun, found, hostile;  // guarded by mutex
};

/// Runs one process, and another for what a fault kept from being run.
void perform(const Work& work, const std::string& self, Totals& totals) {
  std::vector<const Case*> left = work.cases;
  while (!left.empty()) {
    std::string names;
    for (const Case* c : left) names += " '" + c->name + "'";
    const std::string text =
        output_of(fmt::format("timeout -k 2 120 compute-sanitizer --tool {} --print-limit 20 "
                              "'{}' --run{} 2>&1",
                              work.tool, self, names));
    const auto seen = read_reports(text);
    const std::lock_guard lock(totals.mutex);
    std::vector<const Case*> unseen;
    for (const Case* c : left) {
      const auto found = seen.find(c->name);
      if (found == seen.end()) {
        unseen.push_back(c);
        continue;
      }
      const Seen& s = found->second;
      const bool clean = s.reports.empty() && s.how == "ran";
      fmt::print("{}\n", dump({{"case", c->name},
                               {"tool", work.tool},
                               {"clean", clean},
                               {"run", s.how.empty() ? "ended early" : s.how},
                               {"reports", s.reports}}));
      if (!c->hostile && !clean) totals.unclean.insert(fmt::format("{} {}", c->name, work.tool));
      if (c->hostile && !clean) totals.found.insert(c->name);
    }
    std::fflush(stdout);
    if (unseen.size() == left.size()) {  // the tool itself does not run
      for (const Case* c : unseen) {
        totals.unrun.insert(fmt::format("{} {}", c->name, work.tool));
      }
      if (!text.empty()) fmt::print(stderr, "{}: {}\n", work.tool, text.substr(0, 2000));
      return;
    }
    left = std::move(unseen);
  }
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

Result<int> drive(std::span<char*> arguments) {
  std::vector<std::string> tools{"memcheck", "racecheck", "initcheck", "synccheck"};
  std::string only;
  int parallel = 8;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    const std::string_view name = arguments[i];
    const char* value = arguments[i + 1];
    if (name == "--tools")
      tools = split_list(value);
    else if (name == "--parallel")
      parallel = std::clamp(std::atoi(value), 1, 64);
    else if (name == "--only")
      only = value;
    else
      return fail(Errc::InvalidArgument, "unknown argument '{}'", name);
  }
  KW_ASSIGN(const std::vector<Case> all, cases());
  constexpr std::size_t kBatch = 12;
  std::vector<Work> works;
  Totals totals;
  for (const std::string& tool : tools) {
    Work batch{tool, {}};
    for (const Case& c : all) {
      if (c.name.find(only) == std::string::npos || c.slow) continue;
      if (c.hostile) {
        if (!is_sanitizer_case(c)) continue;
        totals.hostile.insert(c.name);
        works.push_back({tool, {&c}});
        continue;
      }
      batch.cases.push_back(&c);
      if (batch.cases.size() == kBatch) works.push_back(std::exchange(batch, {tool, {}}));
    }
    if (!batch.cases.empty()) works.push_back(std::move(batch));
  }
  const std::string self = own_path();
  std::atomic<std::size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < parallel; ++i) {
      threads.emplace_back([&] {
        for (std::size_t w = next++; w < works.size(); w = next++) perform(works[w], self, totals);
      });
    }
  }
  std::vector<std::string> unseen;
  std::ranges::set_difference(totals.hostile, totals.found, std::back_inserter(unseen));
  const auto honest = std::ranges::count_if(all, [&](const Case& c) {
    return !c.hostile && !c.slow && c.name.find(only) != std::string::npos;
  });
  fmt::print("{}\n", dump({{"v", 1},
                           {"kind", "sanitized_red_team"},
                           {"tools", tools},
                           {"honest", honest},
                           {"honest_unclean", totals.unclean},
                           {"hostile", totals.hostile.size()},
                           {"hostile_found", totals.found.size()},
                           {"hostile_not_seen", unseen},
                           {"not_run", totals.unrun}}));
  return totals.unclean.empty() && totals.unrun.empty() ? 0 : 1;
}

}  // namespace
}  // namespace kw::redteam

int main(int argc, char** argv) {
  using namespace kw;
  const process::Role roles[] = {compile::compile_role()};
  if (const auto code = process::run_role_if_asked(argc, argv, roles)) return *code;
  const std::span<char*> arguments(argv + 1, static_cast<std::size_t>(argc - 1));
  const bool target = !arguments.empty() && std::string_view(arguments[0]) == "--run";
  const auto code = target ? redteam::run_cases(arguments.subspan(1)) : redteam::drive(arguments);
  if (code) return *code;
  fmt::print(stderr, "error: {}\n", code.error().message);
  return 3;
}

#include "target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "kw/launch/bind.h"
#include "kw/launch/launcher.h"
#include "kw/verify/fill.h"
#include "trial_plan.h"

namespace kw::redteam {
namespace {

namespace cu = launch::cu;

constexpr const char* kBegin = "### begin ";
constexpr const char* kEnd = "### end ";

struct Loaded {
  const cu::Table* api;
  launch::DeviceFacts facts;
  launch::PrimaryContext context;
};

Result<std::string> launch_case(const Loaded& gpu, const std::string& cubin, const Case& c) {
  const cu::Table& api = *gpu.api;
  KW_ASSIGN(const launch::Module module, launch::load_module(api, cubin));
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

}  // namespace

std::filesystem::path module_path(const std::filesystem::path& modules, const Case& c) {
  std::string name = c.name;
  std::ranges::replace(name, '/', '-');
  return modules / (name + ".cubin");
}

Result<int> run_cases(const std::filesystem::path& modules, std::span<char*> names) {
  KW_ASSIGN(const std::vector<Case> all, cases());
  KW_ASSIGN(const cu::Table* api, launch::load_driver());
  KW_ASSIGN(launch::DeviceFacts facts, launch::device_facts(*api, 0));
  KW_ASSIGN(launch::PrimaryContext context, launch::PrimaryContext::retain(*api, 0));
  const Loaded gpu{api, std::move(facts), std::move(context)};
  for (const char* name : names) {
    const auto found = std::ranges::find(all, std::string_view(name), &Case::name);
    if (found == all.end()) return fail(Errc::NotFound, "no case is called '{}'", name);
    std::ifstream file(module_path(modules, *found), std::ios::binary);
    const std::string cubin((std::istreambuf_iterator<char>(file)), {});
    fmt::print("{}{}\n", kBegin, name);
    std::fflush(stdout);
    const auto how = launch_case(gpu, cubin, *found);
    fmt::print("{}{}: {}\n", kEnd, name, how ? *how : how.error().message);
    std::fflush(stdout);
    if (!how) return 0;
  }
  return 0;
}

std::map<std::string, Seen> read_reports(std::string_view text) {
  std::map<std::string, Seen> seen;
  std::string current;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
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

}  // namespace kw::redteam

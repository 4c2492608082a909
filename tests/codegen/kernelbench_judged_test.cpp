// KernelBench's small tasks, judged in the virtual machine: what the generator proposes first. A
// rotating sample by default; KW_TASKS names a folder of tasks to judge whole (KW_FULL: every
// check).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/verify/judge.h"

namespace kw::codegen {
namespace {

using Clock = std::chrono::steady_clock;
using Path = std::filesystem::path;

constexpr std::size_t kSample = 8;

std::vector<Path> small_tasks(const Path& folder) {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(".small.json")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Every n-th task, another one of each n every day.
std::vector<Path> todays_sample() {
  const std::vector<Path> all = small_tasks(KW_SOURCE_DIR "/kernelbench/tasks");
  const std::size_t step = std::max<std::size_t>(all.size() / kSample, 1);
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  std::vector<Path> sample;
  for (auto i = static_cast<std::size_t>(day.time_since_epoch().count()) % step; i < all.size();
       i += step) {
    sample.push_back(all[i]);
  }
  return sample;
}

std::string contents(const Path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Of the elements of the outputs, over all trials: how many had a bound to be judged by.
/// Where the judge went step by step (V18), of the steps' elements.
double judged_share(const Task& task, const Evidence& evidence) {
  double judged = 0, all = 0, of_trial = 0;
  for (const ValueId id : task.graph.outputs) {
    of_trial += static_cast<double>(element_count(task.graph.value(id).shape).value_or(0));
  }
  const bool steps =
      std::any_of(evidence.checks.begin(), evidence.checks.end(), [](const CheckRecord& c) {
        return c.check.starts_with("V18") && c.figures.contains("judged");
      });
  for (const CheckRecord& check : evidence.checks) {
    if (steps && !check.check.starts_with("V18")) continue;
    const auto found = check.figures.find("judged");
    if (found == check.figures.end()) continue;
    judged += found->second;
    all += steps ? check.figures.at("elements") : of_trial;
  }
  return all > 0 ? judged / all : 0;
}

std::string judged(const Task& task, const Candidate& candidate, verify::Device& device,
                   bool full) {
  static compile::CompileService compiler({.processes = 2, .deadline = std::chrono::minutes(1)});
  verify::Judge judge(compiler, device);
  const auto outcome = judge.judge(
      task, candidate, {.seed = 17, .full = full, .deadline = std::chrono::minutes(10)}, {});
  if (!outcome) return "error: " + outcome.error().message;
  if (const auto* rejected = std::get_if<Rejected>(&*outcome)) {
    return fmt::format("rejected: {}, {}", to_string(rejected->kind), rejected->reason);
  }
  const double share = judged_share(task, std::get<Passed>(*outcome).evidence);
  if (share == 0) return "passed, but no element had a bound";
  return fmt::format("passed, {:.1f} % of elements judged", 100 * share);
}

TEST(KernelBenchJudged, SmallTasksPass) {
  compile::CompileService probe({.processes = 1});
  if (!probe.info()) GTEST_SKIP() << "no NVRTC here";
  const auto device = verify::open_device("vm").value();
  const char* folder = std::getenv("KW_TASKS");
  const bool full = std::getenv("KW_FULL") != nullptr;
  const char* plain = std::getenv("KW_PLAIN");  // the loop nests instead of what is proposed first
  for (const Path& path : folder != nullptr ? small_tasks(folder) : todays_sample()) {
    const auto begin = Clock::now();
    const auto task = parse_task(contents(path));
    ASSERT_TRUE(task) << path << ": " << task.error().message;
    const auto candidates = generate(*task, virtual_machine_target(), 2);
    ASSERT_TRUE(candidates) << path << ": " << candidates.error().message;
    const Candidate& chosen = plain != nullptr ? candidates->back() : candidates->front();
    const std::string verdict = judged(*task, chosen, *device, full);
    const std::chrono::duration<double> took = Clock::now() - begin;
    std::printf("%-22s %6.1f s  %s\n", path.stem().c_str(), took.count(), verdict.c_str());
    std::fflush(stdout);
    EXPECT_TRUE(verdict.starts_with("passed, ") && !verdict.starts_with("passed, but"))
        << path.stem() << ": " << verdict;
  }
}

}  // namespace
}  // namespace kw::codegen

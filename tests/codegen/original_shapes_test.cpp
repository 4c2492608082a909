// Every exported task at its own shapes becomes a program that compiles for an H100 and fits its
// memory: what is proposed first, and (KW_ALL) every other candidate. A rotating sample by default;
// KW_TASKS names a folder of tasks to try whole.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/launch/bind.h"
#include "kw/launch/scratch.h"

namespace kw::codegen {
namespace {

using Clock = std::chrono::steady_clock;
using Path = std::filesystem::path;

constexpr std::size_t kSample = 6;
constexpr std::int64_t kDeviceBytes = std::int64_t{79} << 30;

std::vector<Path> own_shapes(const Path& folder) {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().string();
    if (name.ends_with(".json") && !name.ends_with(".small.json")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<Path> chosen_tasks() {
  if (const char* folder = std::getenv("KW_TASKS")) return own_shapes(folder);
  const std::vector<Path> all = own_shapes(KW_SOURCE_DIR "/kernelbench/tasks");
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

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Bytes of everything that is not scratch, and of packed scratch.
Result<std::int64_t> device_bytes(const LaunchPlan& plan) {
  launch::BindOptions options;
  options.limits.sm_count = 132;
  KW_ASSIGN(const launch::BoundPlan bound, launch::bind(plan, options));
  std::int64_t total = launch::pack_scratch(bound).bytes;
  for (std::size_t i = 0; i < bound.buffers.size(); ++i) {
    const launch::BoundBuffer& buffer = bound.buffers[i];
    if (buffer.role != Role::Scratch && buffer.is_root(i)) total += buffer.bytes;
  }
  return total;
}

struct Checked {
  std::string line;     // what is printed
  std::string failure;  // empty: fine
};

Checked check(const Path& path, compile::CompileService& compiler) {
  Target target;
  target.arch = "sm_90";
  const std::string name = path.stem().string();
  const auto task = parse_task(contents(path));
  if (!task) return {name, task.error().message};
  auto begin = Clock::now();
  const auto candidates = generate(*task, target, 2);
  const double generated = seconds_since(begin);
  if (!candidates) return {name, candidates.error().message};
  Checked checked{fmt::format("{:<12} generate {:6.2f} s", name, generated), {}};
  const std::size_t count = std::getenv("KW_ALL") != nullptr ? candidates->size() : 1;
  for (std::size_t c = 0; c < count; ++c) {
    const Candidate& candidate = (*candidates)[c];
    const auto bytes = device_bytes(candidate.plan);
    begin = Clock::now();
    const auto compiled = compiler.compile({candidate.source, target.arch, {}}, {});
    checked.line +=
        fmt::format(" | compile {:6.2f} s {:4} KB {:4} launches {:5.1f} GiB", seconds_since(begin),
                    candidate.source.size() >> 10, candidate.plan.run.size(),
                    bytes ? static_cast<double>(*bytes) / (1 << 30) : -1.0);
    if (!bytes) {
      checked.failure += fmt::format("plan {}: {}; ", c, bytes.error().message);
    } else if (*bytes > kDeviceBytes) {
      checked.failure += fmt::format("plan {} needs {} bytes; ", c, *bytes);
    }
    if (!compiled) {
      checked.failure += compiled.error().message;
    } else if (const auto* failed = std::get_if<CompileFailure>(&*compiled)) {
      checked.failure += fmt::format(
          "source {}: {}", c,
          failed->diagnostics.empty() ? "no diagnostic" : failed->diagnostics.front().text);
    }
  }
  return checked;
}

TEST(OriginalShapes, EveryTaskCompilesAndFits) {
  compile::CompileService compiler({.processes = 2});
  if (!compiler.info()) GTEST_SKIP() << "no NVRTC here";
  const std::vector<Path> tasks = chosen_tasks();
  std::atomic<std::size_t> next{0};
  std::mutex printing;
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size(); i = next++) {
      const Checked checked = check(tasks[i], compiler);
      const std::lock_guard lock(printing);
      std::printf("%s  %s\n", checked.line.c_str(), checked.failure.c_str());
      std::fflush(stdout);
      EXPECT_EQ(checked.failure, "") << tasks[i].stem();
    }
  };
  std::jthread other(work);
  work();
}

}  // namespace
}  // namespace kw::codegen

#pragma once
// What a candidate costs everybody else: the time of the next one, and what stays behind in memory,
// handles and processes.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "kw/compile/service.h"
#include "kw/redteam/redteam.h"

namespace kw::redteam {

/// What this process holds.
struct Holdings {
  double resident_mb = 0;
  std::size_t handles = 0;
  std::size_t descendants = 0;  // zombies included
};

inline Holdings holdings() {
  namespace fs = std::filesystem;
  Holdings h;
  std::ifstream statm("/proc/self/statm");
  long size = 0, resident = 0;
  statm >> size >> resident;
  h.resident_mb = static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
  h.handles = static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{}));
  std::map<int, int> parent;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    const std::string text((std::istreambuf_iterator<char>(stat)), {});
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos || end + 4 >= text.size()) continue;
    parent[std::stoi(name)] = std::stoi(text.substr(end + 4));
  }
  const int self = getpid();
  for (auto [pid, above] : parent) {
    while (above > 1 && above != self) above = parent.count(above) > 0 ? parent[above] : 0;
    h.descendants += above == self && pid != self ? 1 : 0;
  }
  return h;
}

/// Candidates that try to take others with them.
inline std::vector<Case> attacks(bool bombs) {
  std::vector<Case> out;
  const auto all = cases();
  if (!all) return out;
  const Case* plain = nullptr;
  for (const Case& c : *all) {
    const bool end = c.name.starts_with("hostile/ends.");
    const bool bomb = c.name.starts_with("hostile/bombs.");
    const bool address = c.name.starts_with("hostile/sanitizers.");
    const bool forged = c.name == "hostile/policy.printf";
    if (end || address || forged || (bomb && bombs)) out.push_back(c);
    if (c.name.starts_with("hostile/answers.zeros")) plain = plain == nullptr ? &c : plain;
  }
  if (plain == nullptr) return out;
  Case memory = *plain;  // a plan that wants 100 GB
  memory.name = "hostile/100 GB of scratch";
  PlanBuffer scratch;
  scratch.name = "ws";
  scratch.role = Role::Scratch;
  scratch.bytes = Expr(std::int64_t{100} << 30);
  memory.candidate.plan.buffers.push_back(scratch);
  memory.kinds = {RejectKind::NotVerifiable, RejectKind::RejectedByPolicy, RejectKind::LaunchError,
                  RejectKind::WrongResult};
  memory.checks.clear();
  out.push_back(memory);
  Case fork = *plain;
  fork.name = "hostile/fork";
  fork.candidate.source =
      "extern \"C\" __device__ int fork();\n"
      "extern \"C\" __global__ void k(const float* x, float* y) {\n"
      "  y[threadIdx.x] = x[threadIdx.x] + static_cast<float>(fork());\n}\n";
  fork.kinds = {RejectKind::RejectedByPolicy, RejectKind::CompileError};
  fork.checks.clear();
  out.push_back(fork);
  return out;
}

struct IsolationOptions {
  std::string device = "vm";
  std::size_t count = 24;  // candidates, an honest kernel after each
  bool bombs = false;      // compile bombs too
  int lanes = 1;           // judgements side by side
  bool full = true;        // the whole battery for the honest kernel, or a first look
  std::optional<std::chrono::seconds> within{};  // none begins later
};

struct IsolationFigures {
  std::size_t candidates = 0;
  double undisturbed_s =
      0;  // the slowest of some judgements of the honest kernel with no attack before
  double slowest_next_s = 0;  // of the honest kernel after each attack
  Holdings before, after;
};

/// Judges attacks in turn, an honest kernel after each. Every attack must be refused, every honest
/// kernel must pass. What is held is counted after the first round of attacks and at the end.
class Isolation {
 public:
  Isolation(IsolationOptions options, verify::Device& device)
      : options_(std::move(options)),
        device_(device),
        compiler_({.processes = static_cast<unsigned>(options_.lanes)}),
        judge_(compiler_, device_),
        attacks_(attacks(options_.bombs)) {}

  IsolationFigures run() {
    const auto all = cases();
    const auto honest = std::find_if(all->begin(), all->end(), [](const Case& c) {
      return c.name.starts_with("honest/relu_orders");
    });
    if (attacks_.size() < 10 || honest == all->end()) {
      ADD_FAILURE() << "the red team lacks what this test needs";
      return figures_;
    }
    honest_ = *honest;
    begun_ = std::chrono::steady_clock::now();
    const auto lanes = static_cast<std::size_t>(options_.lanes);
    const auto undisturbed = [&](std::size_t) {
      note(figures_.undisturbed_s, seconds_of_honest(""));
    };
    in_lanes(0, lanes, undisturbed);  // processes start, allocators fill
    figures_.undisturbed_s = 0;
    in_lanes(0, 2 * lanes, undisturbed);
    const auto attack = [&](std::size_t i) { one(attacks_[i % attacks_.size()]); };
    const std::size_t warm = std::min(attacks_.size(), options_.count / 2);
    in_lanes(0, warm, attack);
    figures_.before = holdings();
    in_lanes(warm, options_.count, attack);
    figures_.after = holdings();
    std::printf(
        "%s: %zu candidates in %.0f s, %d side by side: the next one within %.2f s (%.2f s "
        "undisturbed); resident %.1f -> %.1f MB, handles %zu -> %zu, processes %zu -> %zu\n",
        options_.device.c_str(), figures_.candidates, elapsed(), options_.lanes,
        figures_.slowest_next_s, figures_.undisturbed_s, figures_.before.resident_mb,
        figures_.after.resident_mb, figures_.before.handles, figures_.after.handles,
        figures_.before.descendants, figures_.after.descendants);
    return figures_;
  }

 private:
  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }
  Result<Outcome> judged(const Case& c, bool full) {
    verify::JudgeOptions options;
    options.seed = 20261124;
    options.full = full;
    options.deadline = std::chrono::milliseconds(c.deadline_ms);
    return judge_.judge(c.task, c.candidate, options, {});
  }
  double seconds_of_honest(const std::string& after) {
    const double begin = elapsed();
    const auto outcome = judged(honest_, options_.full);
    EXPECT_TRUE(outcome && passed(*outcome)) << "after '" << after << "'";
    return elapsed() - begin;
  }
  void one(const Case& attack) {
    const auto outcome = judged(attack, true);
    if (!outcome) {
      ADD_FAILURE() << attack.name << ": " << outcome.error().message;
    } else {
      EXPECT_FALSE(passed(*outcome)) << attack.name;
    }
    note(figures_.slowest_next_s, seconds_of_honest(attack.name));
    const std::lock_guard lock(mutex_);
    ++figures_.candidates;
  }
  void note(double& slowest, double seconds) {
    const std::lock_guard lock(mutex_);
    slowest = std::max(slowest, seconds);
  }
  void in_lanes(std::size_t first, std::size_t last, const std::function<void(std::size_t)>& each) {
    std::atomic<std::size_t> next = first;
    std::vector<std::jthread> lanes;
    for (int lane = 0; lane < options_.lanes; ++lane) {
      lanes.emplace_back([&] {
        for (std::size_t i = next++; i < last; i = next++) {
          if (options_.within && elapsed() > static_cast<double>(options_.within->count())) return;
          each(i);
        }
      });
    }
  }

  IsolationOptions options_;
  verify::Device& device_;
  compile::CompileService compiler_;
  verify::Judge judge_;
  std::vector<Case> attacks_;
  Case honest_;
  std::chrono::steady_clock::time_point begun_;
  std::mutex mutex_;
  IsolationFigures figures_;  // guarded by mutex_ while lanes run
};

/// No figures (0 candidates) where there is no compiler or no such device.
inline IsolationFigures isolate(const IsolationOptions& options) {
  compile::CompileService probe({.processes = 1});
  if (!probe.info()) return {};
  auto device = verify::open_device(options.device);
  if (!device) return {};
  return Isolation(options, **device).run();
}

}  // namespace kw::redteam

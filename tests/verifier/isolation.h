#pragma once
// What a candidate costs everybody else: the time of the next one, and what stays behind in memory,
// handles and processes.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

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
  fork.candidate.source = "extern \"C\" __device__ int fork();\n"
                          "extern \"C\" __global__ void k(const float* x, float* y) {\n"
                          "  y[threadIdx.x] = x[threadIdx.x] + static_cast<float>(fork());\n}\n";
  fork.kinds = {RejectKind::RejectedByPolicy, RejectKind::CompileError};
  fork.checks.clear();
  out.push_back(fork);
  return out;
}

struct IsolationFigures {
  std::size_t candidates = 0;
  double slowest_next_s = 0;  // of the honest candidate after each
  Holdings before, after;
};

/// Judges `count` attacks in turn, an honest kernel after each. Every attack must be refused, every
/// honest kernel must pass, and nothing may stay behind.
inline IsolationFigures isolate(std::size_t count, bool bombs) {
  IsolationFigures figures;
  compile::CompileService compiler({.processes = 1});
  if (!compiler.info()) return figures;
  auto device = verify::open_device("vm");
  if (!device) {
    ADD_FAILURE() << device.error().message;
    return figures;
  }
  verify::Judge judge(compiler, **device);
  const std::vector<Case> list = attacks(bombs);
  const auto known = cases();
  const auto honest = std::find_if(known->begin(), known->end(), [](const Case& c) {
    return c.name.starts_with("honest/relu_orders");
  });
  if (list.size() < 10 || honest == known->end()) {
    ADD_FAILURE() << "the red team lacks what this test needs";
    return figures;
  }
  const auto judged = [&](const Case& c, double* seconds) {
    verify::JudgeOptions options;
    options.seed = 20261124;
    options.deadline = std::chrono::milliseconds(c.deadline_ms);
    const auto begin = std::chrono::steady_clock::now();
    auto outcome = judge.judge(c.task, c.candidate, options, {});
    if (seconds != nullptr) {
      *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    return outcome;
  };
  (void)judged(*honest, nullptr);  // processes start, allocators fill
  const std::size_t warm = std::min<std::size_t>(list.size(), count / 2);
  for (std::size_t i = 0; i < count; ++i) {
    if (i == warm) figures.before = holdings();
    const Case& attack = list[i % list.size()];
    const auto outcome = judged(attack, nullptr);
    if (!outcome) {
      ADD_FAILURE() << attack.name << ": " << outcome.error().message;
    } else {
      EXPECT_FALSE(passed(*outcome)) << attack.name;
    }
    double seconds = 0;
    const auto next = judged(*honest, &seconds);
    EXPECT_TRUE(next && passed(*next)) << "after " << attack.name;
    if (seconds > figures.slowest_next_s) figures.slowest_next_s = seconds;
    ++figures.candidates;
  }
  figures.after = holdings();
  std::printf("%zu candidates: the next one within %.2f s; resident %.1f -> %.1f MB, handles %zu -> "
              "%zu, processes %zu -> %zu\n",
              figures.candidates, figures.slowest_next_s, figures.before.resident_mb,
              figures.after.resident_mb, figures.before.handles, figures.after.handles,
              figures.before.descendants, figures.after.descendants);
  return figures;
}

}  // namespace kw::redteam

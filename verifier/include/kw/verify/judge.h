#pragma once
// The judge: a task, a candidate and a device in; an Outcome with evidence out. No text that a
// model writes moves a gate.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <stop_token>

#include "kw/core/interfaces.h"
#include "kw/verify/device.h"

namespace kw::verify {

struct JudgeOptions {
  std::uint64_t seed = 0;  // of a replay; 0: drawn after compiling, recorded in the evidence
  bool full = true;        // the whole battery; false: what a first look costs
  bool timing = false;     // also time it (ignored by devices without time)
  bool fresh_process_retime = false;
  std::chrono::milliseconds deadline{60000};
  /// Checks to leave out ("V7"), for tests that show what each one is for. A verdict without some
  /// check says so in its judge version, and nothing accepts it.
  std::set<std::string, std::less<>> without{};
};

class Judge {
 public:
  /// Both outlive the judge.
  Judge(Compiler& compiler, Device& device);
  ~Judge();
  /// Thread-safe.
  Result<Outcome> judge(const Task& task, const Candidate& candidate, const JudgeOptions& options,
                        std::stop_token stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr const char* kJudgeVersion = "judge.4";

}  // namespace kw::verify

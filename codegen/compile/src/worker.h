#pragma once
// The compile process, seen from its owner, and its messages.

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "kw/process/child.h"
#include "nvrtc.h"

namespace kw::compile {

struct WorkerOptions {
  std::string library;  // Toolkit::nvrtc
  std::uint64_t memory_bytes = 0;
};
struct WorkerInfo {
  std::string compiler;  // "NVRTC 13.0.88"
  bool confined = false;
  std::string confinement_detail;
};

/// What ended a compile process in the middle of a source.
struct WorkerDeath {
  bool timed_out = false;
  std::string how;  // "killed by signal 6 (Aborted)"
};

/// One process; one thread at a time.
class Worker {
 public:
  static Result<Worker> start(const WorkerOptions& options);

  /// After a WorkerDeath or an Error the process is gone and the worker must be dropped. Errors:
  /// Cancelled, Unavailable.
  Result<std::variant<NvrtcOutput, WorkerDeath>> compile(const NvrtcInput& input,
                                                         const process::Wait& wait);
  const WorkerInfo& info() const noexcept { return info_; }
  /// Worth replacing: it has done much, or grown.
  bool worn() const { return compiles_ >= 500 || child_.resident_bytes() > (1ull << 30); }

 private:
  explicit Worker(process::Child child) : child_(std::move(child)) {}

  process::Child child_;
  WorkerInfo info_;
  int compiles_ = 0;
};

}  // namespace kw::compile

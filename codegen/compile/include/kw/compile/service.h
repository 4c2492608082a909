#pragma once
// NVRTC behind a pool of caged processes.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "kw/compile/toolkit.h"
#include "kw/core/interfaces.h"
#include "kw/process/role.h"

namespace kw::compile {

struct CompileOptions {
  std::string toolkit{};   // see find_toolkit(); empty: search
  unsigned processes = 0;  // 0: one per CPU
  std::chrono::milliseconds deadline{10000};  // for every 16 KiB of source begun
  std::uint64_t memory_bytes = std::uint64_t{3} << 30;  // address space of one process
  CompileCache* cache = nullptr;                        // outlives the service
};

/// Compiles at most `processes` sources at once; more callers wait their turn. Processes start when
/// first needed, stay warm, and are replaced when they die, hang or grow. What the candidate did
/// wrong, crashing or hanging the compiler included, is a CompileFailure.
class CompileService final : public Compiler {
 public:
  explicit CompileService(CompileOptions options = {});
  ~CompileService() override;

  /// Thread-safe. Cancellation kills the process at work.
  Result<CompileResult> compile(const CompileRequest& request, std::stop_token stop) override;
  /// Past the cache and in a process that compiled nothing before: a winner's PTX must come out
  /// byte-identical.
  Result<CompileResult> compile_fresh(const CompileRequest& request, std::stop_token stop);

  struct Info {
    std::string compiler;  // "NVRTC 13.0.88"
    Toolkit toolkit;
    bool confined = false;           // the system-call filter is in force
    std::string confinement_detail;  // why not
  };
  /// Starts a process if none has run yet. Errors: Unavailable.
  Result<Info> info();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "NVRTC 13.0.88", or why there is none; for `doctor`.
Result<std::string> nvrtc_version(const std::string& toolkit = {});

/// For main()'s table of roles: a program that compiles must offer it.
process::Role compile_role();

}  // namespace kw::compile

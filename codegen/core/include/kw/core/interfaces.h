#pragma once
// What siblings share: agent joins them through these.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/outcome.h"
#include "kw/core/task.h"

namespace kw {

// ---- compiling
// -------------------------------------------------------------------------------------------

struct CompileRequest {
  std::string source;
  std::string arch = "sm_80";        // "sm_90", "sm_90a", ... : cubin and PTX of that architecture
  std::vector<std::string> defines;  // "NAME=VALUE"
};

struct Diagnostic {
  enum class Severity { Error, Warning, Note } severity = Severity::Error;
  int line = 0;  // of the candidate's source, from 1; 0: not located
  std::string text;
};

struct KernelResources {
  int registers = 0;
  std::int64_t shared_bytes = 0;
  std::int64_t local_bytes = 0;
};

struct CompiledModule {
  std::string ptx;
  std::string cubin;  // bytes
  std::vector<Diagnostic> warnings;
  std::map<std::string, KernelResources> kernels;  // from the cubin; may be empty
  std::string compiler;                            // "NVRTC 13.0.88"
  std::string arch;
  double compile_ms = 0;
  bool from_cache = false;
};
/// Why a source did not become a module: the candidate's fault.
struct CompileFailure {
  RejectKind kind = RejectKind::CompileError;  // or Timeout, RejectedByPolicy
  std::vector<Diagnostic> diagnostics;
};
using CompileResult = std::variant<CompiledModule, CompileFailure>;

class Compiler {
 public:
  virtual ~Compiler() = default;
  /// Thread-safe. An Error only when compiling is impossible here (no NVRTC) or cancelled.
  virtual Result<CompileResult> compile(const CompileRequest& request, std::stop_token stop) = 0;
};

/// Compiled modules by content key (source, options, arch, compiler build). Thread-safe.
class CompileCache {
 public:
  virtual ~CompileCache() = default;
  virtual std::optional<CompileResult> get(const std::string& key) = 0;
  virtual void put(const std::string& key, const CompileResult& result) = 0;
};

// ---- proposing
// -------------------------------------------------------------------------------------------

/// What earlier candidates of this lane came to.
struct Feedback {
  std::string candidate_id;
  Outcome outcome;
};

// ---- judging
// ---------------------------------------------------------------------------------------------

struct JudgeRequest {
  std::uint64_t seed = 0;  // secret from the candidate
  bool full = true;        // the whole battery; false: the cheap checks
  bool timing = false;     // time it as well (GPU only)
  std::string task_json;   // for processes that get it by value
};

// ---- parameters
// ------------------------------------------------------------------------------------------

using Config = std::map<std::string, std::int64_t>;

struct Parameter {
  std::string name;
  std::vector<std::int64_t> domain;  // ascending
  std::int64_t heuristic = 0;        // default at this task's shapes and device
};

/// A finite space: the product of the domains, minus what a constraint forbids.
struct ParameterSpace {
  std::vector<Parameter> parameters;
  std::vector<Expr> constraints;  // over parameter names and Symbols below; non-zero means allowed
  Symbols symbols;                // shapes and device limits
  bool allows(const Config& config) const;
  Config heuristic() const;
};
std::string to_json(const ParameterSpace& space);

/// One measurement of a configuration: an objective (lower is better), or why there is none.
struct Measurement {
  std::optional<double> objective;  // microseconds
  std::string failure;              // "compile error", "wrong result", ...
  double cost_s = 0;                // time this evaluation took, for budgets
};

class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual Measurement evaluate(const Config& config, std::stop_token stop) = 0;
  /// A hint that these will be evaluated soon: compile ahead. May do nothing.
  virtual void prefetch(const std::vector<Config>&) {}
};

}  // namespace kw

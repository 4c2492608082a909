#pragma once
// A PTX module, parsed and lowered once, then run any number of times (run.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw::ptxvm {

/// A state space of PTX. Generic is the space of an access that names none.
enum class Space { Global, Shared, Local, Constant, Parameter, Generic };

std::string_view to_string(Space space) noexcept;

/// A line of the kernel's source as .loc names it; file 0 and line 0 mean "unknown".
struct SourceLine {
  std::uint32_t file = 0;  // the number in `.file N "name"`; Program::file_name(file)
  std::uint32_t line = 0;

  friend bool operator==(const SourceLine&, const SourceLine&) = default;
};

/// One instruction as written. Enough for policy checks that read the code instead of running it.
struct InstructionInfo {
  std::string opcode;  // with all modifiers and without the guard: "ld.global.nc.v4.f32"
  std::string text;    // the whole statement, white space normalised
  std::string callee;  // direct calls only
  std::uint32_t ptx_line = 0;
  SourceLine source;
};

/// One `.entry` or `.func` of the module. Without a body (`.extern .func vprintf`) it has no code.
struct FunctionInfo {
  std::string name;
  bool entry = false;
  bool has_body = false;
  std::vector<InstructionInfo> instructions;
};

/// Where a kernel parameter lies in the parameter block of Launch::parameters, in bytes.
struct ParameterInfo {
  std::string name;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  std::uint32_t align = 1;
  std::string type;      // of an element, as written: "u64", "f32", "b8"; arrays have a larger size
  bool pointer = false;  // said to be an address (.ptr); compilers before PTX 8.3 do not say it
};

struct KernelInfo {
  std::string name;
  std::vector<ParameterInfo> parameters;
  std::uint32_t parameter_bytes = 0;
  std::uint32_t static_shared_bytes = 0;
  std::uint32_t local_bytes = 0;        // per thread: stack frames of the kernel and all it calls
  std::uint32_t max_block_threads = 0;  // .maxntid or .reqntid, 0 if not given
  /// Why this kernel cannot be run here (Errc::Unsupported, names opcode and PTX line). Such a
  /// kernel is "not verifiable here": never a pass, never a finding.
  std::optional<Error> refusal;
};

/// A module-scope variable (.global, .const or .shared).
struct VariableInfo {
  std::string name;
  Space space = Space::Global;
  std::uint64_t size = 0;  // 0: extern shared, sized by the launch
  std::uint32_t align = 1;
  bool external = false;
};

/// Immutable; may be used by any number of threads and launches at once.
class Program {
 public:
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl) noexcept;
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::span<const KernelInfo> kernels() const noexcept;
  const KernelInfo* find_kernel(std::string_view name) const noexcept;
  std::span<const FunctionInfo> functions() const noexcept;
  std::span<const VariableInfo> variables() const noexcept;
  /// ".version" and ".target" as written ("9.0", "sm_80").
  std::string_view ptx_version() const noexcept;
  std::string_view target() const noexcept;
  /// "" if the module does not name that file.
  std::string_view file_name(std::uint32_t file) const noexcept;

  const Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Parses and lowers a module. Errors: InvalidArgument (not well-formed PTX; names the line),
/// Unsupported (a construct outside any kernel), ResourceExhausted (a size bound of load limits).
/// An instruction that is not known makes only the kernels that reach it refuse
/// (KernelInfo::refusal).
Result<std::shared_ptr<const Program>> load(std::string_view ptx);

}  // namespace kw::ptxvm

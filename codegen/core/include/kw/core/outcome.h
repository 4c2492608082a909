#pragma once
// What judging found. A candidate that fails is a result, never an Error.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kw/core/result.h"

namespace kw {

enum class RejectKind {
  RejectedByPolicy,
  CompileError,
  LaunchError,
  Timeout,
  WrongResult,
  OutOfBounds,
  Race,
  Uninitialised,
  InputModified,
  Nondeterministic,
  BarrierDivergence,
  Misaligned,
  Impossible,     // faster than the hardware
  NotVerifiable,  // here: this device cannot run or check it
  Quarantined,
};
std::string_view to_string(RejectKind kind) noexcept;
std::optional<RejectKind> parse_reject_kind(std::string_view text) noexcept;

/// One check as it ran: what it looked at, with which seed, and what it saw.
struct CheckRecord {
  std::string check;  // "V10.coherent"
  bool passed = false;
  std::uint64_t seed = 0;
  std::map<std::string, double> figures;     // "max_error_in_bounds": 0.31
  std::map<std::string, std::string> notes;  // "shape": "[33, 65]"
};

struct Timing {
  double median_us = 0;
  double min_us = 0;
  double spread_us = 0;  // interquartile range
  int samples = 0;
  double setup_us = 0;       // 0 when the plan has no setup
  double floor_us = 0;       // roofline floor
  double achieved_gbps = 0;  // minimal bytes over median
  std::string protocol;      // "event.coldl2.v1"
};

struct DeviceIdentity {
  std::string klass;  // "ptxvm" or "cuda": a ptxvm verdict never answers a question about GPUs
  std::string name;   // "NVIDIA H100 80GB HBM3"
  std::string uuid;
  std::string driver;
  std::string arch;  // "sm_90"
};

struct Evidence {
  std::vector<CheckRecord> checks;
  std::map<std::string, double> counters;  // of the PTX virtual machine: "mma", "wide_tiles", ...
  DeviceIdentity device;
  std::string judge_version;
  std::string compiler;  // "NVRTC 13.0.88"
};

struct Passed {
  Evidence evidence;
  std::optional<Timing> timing;  // only a GPU gives one
};
struct Rejected {
  RejectKind kind = RejectKind::WrongResult;
  std::string reason;                          // one line a person can act on
  std::map<std::string, std::string> witness;  // what replays it: seed, family, shape, index, line
  Evidence evidence;
};
using Outcome = std::variant<Passed, Rejected>;

inline bool passed(const Outcome& outcome) { return std::holds_alternative<Passed>(outcome); }

Result<Outcome> parse_outcome(std::string_view json);
std::string to_json(const Outcome& outcome);

}  // namespace kw

#pragma once
// Two devices behind one interface: a CUDA GPU and the PTX virtual machine. Each run happens in a
// runner process of its own; the parent gets raw output bytes and computes the verdict from them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/core/interfaces.h"
#include "kw/verify/fill.h"

namespace kw::verify {

/// Bytes shared between processes (a sealed memfd mapping). Moves, never copies.
class SharedBytes;

struct BufferFill {
  std::string buffer;  // Input, Weight or State of the plan
  FillSpec spec;       // used when `bytes` is empty
  std::shared_ptr<const std::vector<std::byte>> bytes;
};

/// One set of inputs. Outputs and undeclared scratch are filled with `poison` before every run;
/// every buffer has guard zones and moves between trials.
struct Trial {
  std::vector<BufferFill> fills;
  std::uint8_t poison = 0xFF;
  int repeats = 1;                  // runs on the same inputs; the outputs of the last are returned,
                                    // each is compared with the one before it
  std::uint64_t schedule_seed = 0;  // virtual machine: order of warps and blocks
  bool thorough = false;            // virtual machine: every check it has
};

struct TimingRequest {
  int samples = 50;
  double max_total_ms = 2000;  // no sample is begun after this, once there are three
  double min_total_ms = 50;  // stop when both are reached
  bool cold_l2 = true;
};

struct RunRequest {
  CompiledModule module;
  LaunchPlan plan;
  std::vector<Trial> trials;
  std::optional<TimingRequest> timing;  // after the trials, on the last trial's inputs
  std::chrono::milliseconds deadline{20000};
  std::uint64_t seed = 0;  // placement of buffers
  // For tests of what a check is for: the virtual machine then lets these pass.
  bool sanitize = true;
  bool protect_inputs = true;
};

struct OutputBytes {
  std::string buffer;
  std::shared_ptr<const SharedBytes> bytes;
};

struct TrialResult {
  std::vector<OutputBytes> outputs;          // Output and State buffers
  std::vector<std::string> modified_inputs;  // Input and Weight buffers whose hash changed
  std::vector<std::string> broken_guards;    // buffers whose guard zones were written (GPU)
  bool repeats_equal = true;
};

/// Why a run ended early: the candidate's fault, or something this device cannot do
/// (NotVerifiable).
struct RunFault {
  RejectKind kind = RejectKind::LaunchError;
  std::string reason;  // with kernel, source line, block, thread where known
  std::map<std::string, std::string> witness;
};

/// Where a run took place, as its parent knows it.
struct Cage {
  bool confined = false;       // the runner filtered its system calls before it read the candidate
  bool own_namespace = false;  // its whole tree dies with it by the kernel's hand
};

struct RunReply {
  std::vector<TrialResult> trials;  // those that completed
  std::optional<RunFault> fault;
  std::optional<Timing> timing;
  /// Virtual machine counters, summed; "launched.KERNEL"; "time.*" of a timed run.
  std::map<std::string, double> counters;
  Cage cage;
  DeviceIdentity device;
};

struct DeviceLimits {
  std::int64_t sm_count = 0;
  std::int64_t max_threads_per_block = 1024;
  std::int64_t shared_per_block = 0;  // opt-in maximum, bytes
  std::int64_t memory_bytes = 0;
  std::int64_t l2_bytes = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceIdentity& identity() const = 0;
  virtual const DeviceLimits& limits() const = 0;
  /// The architecture to compile candidates for: "sm_80" for the virtual machine.
  virtual const std::string& arch() const = 0;
  /// Thread-safe. Errors are ours (no device, no process); a candidate's fault is a RunFault.
  virtual Result<RunReply> run(const RunRequest& request, std::stop_token stop) = 0;
};

/// "vm", "cuda" or "cuda:1", "auto" (a GPU if there is one, else the virtual machine).
Result<std::unique_ptr<Device>> open_device(const std::string& name);

/// Read access to an output: a part of a memory file, or of none (descriptor -1).
class SharedBytes {
 public:
  virtual ~SharedBytes() = default;
  virtual std::span<const std::byte> view() const = 0;
  virtual int fd() const = 0;
  virtual std::size_t first() const { return 0; }  // where view() begins in the file
  virtual std::size_t file_bytes() const { return view().size(); }
};

}  // namespace kw::verify

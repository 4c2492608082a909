#pragma once
// Runs one kernel launch on the CPU.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kw/core/result.h"
#include "kw/ptxvm/memory.h"
#include "kw/ptxvm/program.h"
#include "kw/ptxvm/report.h"

namespace kw::ptxvm {

struct Launch {
  std::string kernel;
  Dim3 grid;
  Dim3 block;
  std::uint32_t dynamic_shared_bytes = 0;
  /// The parameter block, laid out as KernelInfo::parameters says; exactly parameter_bytes long.
  std::vector<std::byte> parameters;
};

/// The order in which blocks start and warps take turns. Every order is legal for a correct kernel.
enum class Schedule {
  InOrder,   // block 0 first, warp 0 first
  Reversed,  // last block first, last warp first
  Shuffled,  // seeded by Options::seed
};

/// Which instruction set the handlers use; Best asks the CPU.
enum class HostIsa { Best, Baseline, Avx2, Avx512 };

/// Which warp's instructions to write down.
struct Trace {
  std::uint64_t block = 0;  // x + grid.x * (y + grid.y * z)
  std::uint32_t warp = 0;
  std::uint32_t max_records = 0;  // 0: no trace
};

struct Options {
  // Bounds, alignment, barrier and warp-convergence checks are always on.
  bool check_uninitialised = true;     // shared, local and global memory
  bool check_races = false;            // shared and global memory: README.md, "Races"
  bool check_async_copies = false;     // cp.async: touched before the wait, overwritten in flight
  bool check_registers = false;        // registers that were never written
  bool check_index_overflow = false;   // 32-bit arithmetic that wrapped and became an address
  bool count_memory = false;           // sectors and bank waves (costs time)
  bool model_caches = false;           // CacheCounts as well; needs count_memory
  std::uint32_t l1_bytes = 32u << 10;  // of the modelled L1: one block's share, up to 256 KiB
  Trace trace;
  /// Sums tensor-core products in fp64 and rounds once, instead of modelling the hardware's
  /// truncating accumulation (README.md).
  bool exact_tensor_accumulation = false;
  /// A seed, or 0: off. Results of .approx instructions (and div.full) are then drawn, by a hash of
  /// seed, instruction and operands, from all that the PTX ISA allows around the exact value, so
  /// that it shows how much a kernel's results depend on them.
  std::uint64_t perturb_approximations = 0;
  Schedule schedule = Schedule::InOrder;
  /// Lanes of a warp act from 31 down to 0, and the other side of a branch goes first.
  bool reverse_lanes = false;
  /// A warp may lose its turn at barriers and atomics, as `seed` says.
  bool pauses = false;
  std::uint64_t seed = 0;
  /// Warp instructions that one block may execute before it is stopped with a Watchdog finding.
  std::uint64_t instruction_budget = std::uint64_t{1} << 32;
  /// The same for all blocks together, each of which counts kBlockCost from the start.
  std::uint64_t launch_budget = std::uint64_t{1} << 36;
  static constexpr std::uint64_t kBlockCost = 64;
  unsigned threads = 1;  // host threads over blocks; 0: one per CPU
  std::uint32_t max_findings = 64;
  /// Host memory for the registers, shared and local memory of the blocks resident at once. With
  /// less than one block needs, run() returns Errc::ResourceExhausted.
  std::uint64_t resident_bytes = std::uint64_t{2} << 30;
  /// Set by the caller, from any thread, to stop early: run() then returns Errc::Cancelled.
  const std::atomic<bool>* cancel = nullptr;
  HostIsa isa = HostIsa::Best;
};

/// `options` with every check on.
Options with_all_checks(Options options = {});

/// Runs the launch to its end, or until it is stopped. A kernel that is wrong is a Report with
/// findings; an Error says that the launch itself is bad or not runnable: NotFound (no such
/// kernel), Unsupported (KernelInfo::refusal), InvalidArgument (parameters, grid or block that do
/// not fit), ResourceExhausted, Cancelled.
Result<Report> run(const Program& program, Memory& memory, const Launch& launch,
                   const Options& options = {});

}  // namespace kw::ptxvm

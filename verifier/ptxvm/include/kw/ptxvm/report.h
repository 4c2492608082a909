#pragma once
// What a launch found and counted. Never a time: the virtual machine's wall time says nothing about
// a kernel's.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/ptxvm/program.h"

namespace kw::ptxvm {

struct Dim3 {
  std::uint32_t x = 1, y = 1, z = 1;

  std::uint64_t count() const noexcept { return std::uint64_t{x} * y * z; }
  friend bool operator==(const Dim3&, const Dim3&) = default;
};

enum class FindingKind {
  OutOfBounds,        // outside every allocation, or of the shared, local or parameter space
  Misaligned,         // address not a multiple of the access size
  InvalidAddress,     // an address in no window at all (a null or wild pointer)
  UninitialisedRead,  // of bytes that neither host nor kernel has written
  ReadOnlyWrite,      // a write to constant memory or to an allocation marked read-only
  BarrierDivergence,  // an aligned barrier that part of a warp reaches, one that never completes,
                      // or one with a number or thread count that no barrier has
  WarpDivergence,  // a .sync or .aligned warp operation without all the lanes it names, or by a
                   // lane that it does not name
  AsyncCopy,       // a cp.async in flight whose destination is touched or whose source changes
  Race,            // two accesses, one of them a write, that nothing orders; Finding::other
  UninitialisedRegister,  // a register that was never written decides a branch, an address, a store
  IndexOverflow,          // 32-bit index arithmetic wrapped before it became an address
  Trap,                   // trap or brkpt executed
  AssertFailed,           // device assert()
  Watchdog,               // the instruction budget ran out
};

std::string_view to_string(FindingKind kind) noexcept;

/// The place of an event: which instruction, executed by whom.
struct Site {
  std::string kernel;
  SourceLine source;
  std::string file;  // name of source.file, "" if unknown
  std::uint32_t ptx_line = 0;
  std::string instruction;  // PTX text
  Dim3 block{0, 0, 0};
  std::uint32_t warp = 0;  // within the block
  std::uint32_t lane = 0;
};

struct Finding {
  FindingKind kind = FindingKind::OutOfBounds;
  Site site;
  /// The other side: of a race the earlier access, of an asynchronous copy the copy, of an index
  /// overflow the arithmetic.
  std::optional<Site> other;
  bool other_is_write = false;
  Space space = Space::Generic;
  bool is_write = false;
  std::uint64_t address = 0;      // as the instruction used it (shared: offset in the window)
  std::uint32_t bytes = 0;        // size of the access
  std::string allocation;         // name of the allocation hit, or of the nearest one
  std::int64_t offset = 0;        // address relative to that allocation's start
  std::uint64_t occurrences = 1;  // of this kind at this instruction over the launch
  std::string message;            // one sentence, complete in itself
};

enum class InstructionClass : std::uint8_t {
  Integer,
  Float32,
  Float64,
  Half,
  SpecialFunction,
  Conversion,
  Move,
  Predicate,
  Control,
  Barrier,
  WarpOp,
  LoadGlobal,
  StoreGlobal,
  LoadShared,
  StoreShared,
  LoadLocal,
  StoreLocal,
  LoadConstant,
  Atomic,
  AsyncCopy,
  Matrix,
  Other,
};
inline constexpr std::size_t kInstructionClasses = 22;

std::string_view to_string(InstructionClass c) noexcept;

/// What memory instructions asked for; counted with Options::count_memory only.
struct MemoryCounts {
  std::uint64_t global_requests = 0;  // warp-level loads, stores, atomics and asynchronous copies
  std::uint64_t global_sectors = 0;   // 32-byte sectors touched by them
  std::uint64_t global_bytes = 0;     // bytes asked for by active lanes
  std::uint64_t shared_requests = 0;
  std::uint64_t shared_waves = 0;  // passes over the 32 banks; equal to the ideal without conflicts
  std::uint64_t shared_waves_ideal = 0;

  MemoryCounts& operator+=(const MemoryCounts& other) noexcept;
};

/// What a simple cache model makes of the global requests; counted with Options::model_caches only.
/// L1: sectors of 32 bytes in lines of 128, least recently used of 16 ways goes, empty when a block
/// starts, Options::l1_bytes large. Loads look in it unless .cg, .cv, volatile or atomic order
/// sends them past it; stores and atomics go through it to L2 and leave it as it is. L2 is taken to
/// be large enough for the launch: what it delivers more than once is reuse.
struct CacheCounts {
  std::uint64_t l1_sectors = 0;  // looked for in L1
  std::uint64_t l1_sector_hits = 0;
  std::uint64_t l2_read_sectors = 0;  // asked of L2
  std::uint64_t l2_written_sectors = 0;
  std::uint64_t distinct_read_sectors = 0;  // what device memory delivers at least
  std::uint64_t distinct_written_sectors = 0;
};

/// Instructions executed on behalf of one source line.
struct LineCount : MemoryCounts {
  SourceLine source;
  std::uint64_t warp_instructions = 0;
  std::uint64_t lane_instructions = 0;
};

struct Counters : MemoryCounts {
  std::uint64_t warp_instructions = 0;  // an instruction executed once by a warp counts once
  std::uint64_t lane_instructions = 0;  // times its active lanes (guards are not subtracted)
  std::array<std::uint64_t, kInstructionClasses> by_class{};  // warp instructions
  std::uint64_t divergent_branches = 0;
  std::uint64_t barriers = 0;  // completed block barriers
  /// Matrix multiply-adds of mma and wmma instructions (m*n*k each).
  std::uint64_t matrix_multiply_adds = 0;
  CacheCounts cache;
  std::vector<LineCount> lines;  // hottest first; empty without -lineinfo

  /// Active lanes per executed warp instruction over 32.
  double lane_utilisation() const noexcept {
    return warp_instructions == 0 ? 0.0
                                  : static_cast<double>(lane_instructions) /
                                        (32.0 * static_cast<double>(warp_instructions));
  }
};

/// One instruction as a warp executed it (Options::trace).
struct TraceRecord {
  SourceLine source;
  std::uint32_t ptx_line = 0;
  std::uint32_t lanes = 0;  // mask of the lanes that executed it
  std::string instruction;  // PTX text
};

struct Report {
  /// Ordered by block, then by time within the block; one entry per kind and instruction. The same
  /// on every run of the same launch, options and memory (unless the kernel itself races).
  std::vector<Finding> findings;
  bool findings_truncated = false;  // Options::max_findings was reached
  bool completed = false;           // every block ran to its end
  Counters counters;
  /// In order of execution. A warp operation that waits for its lanes is there once per arrival.
  std::vector<TraceRecord> trace;
  bool trace_truncated = false;  // Trace::max_records was reached

  bool clean() const noexcept { return completed && findings.empty(); }
};

}  // namespace kw::ptxvm

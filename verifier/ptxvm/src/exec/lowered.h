#pragma once
// A kernel ready to run, except for the choice of instruction set and the addresses of variables.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "exec/code.h"
#include "handlers/lane_values.h"
#include "handlers/registry.h"
#include "ir/flatten.h"
#include "kw/ptxvm/report.h"

namespace kw::ptxvm {

struct Relocation {
  std::uint32_t pool_offset = 0;  // of 32 copies of a 64-bit value
  int variable = -1;              // Module::variables
  std::uint64_t addend = 0;
};

/// A value that the launch puts into the pool: a kernel parameter or a special register.
struct LaunchValue {
  std::uint32_t pool_offset = 0;  // of 32 copies
  std::uint32_t lane_bytes = 0;
  std::optional<SpecialRegister> special;  // of 32 bits, maybe another in each lane
  std::uint32_t parameter = 0, parameter_bytes = 0;
  bool sign = false;
};

/// The ways in which one kernel is lowered.
struct Variant {
  bool checked = false;  // with what Options::check_registers and check_index_overflow need
  bool traced = false;   // every instruction of the source is one here
  auto operator<=>(const Variant&) const = default;
};

struct LoweredBlock {
  std::uint32_t start = 0;             // first Ins
  std::vector<std::uint32_t> sources;  // instructions counted for it
};

struct LoweredKernel {
  std::vector<Ins> code;               // run is not set
  std::vector<std::int32_t> handlers;  // by instruction
  std::vector<std::uint32_t> block_start;
  std::vector<LoweredBlock> blocks;
  std::vector<std::uint32_t> extra;
  std::vector<const Instruction*> sources;
  std::vector<InstructionClass> classes;  // by source
  std::vector<std::byte> pool;
  std::vector<Relocation> relocations;
  std::vector<LaunchValue> launch_values;
  std::uint32_t register_bytes = 0;
  std::array<bool, 3> block_index_used{};  // kBlockIndexSlot
  std::uint32_t cache_slots = 0;
  std::uint32_t frame_bytes = 0;
  std::uint32_t shared_bytes = 0;
  bool uses_dynamic_shared = false;
  bool uses_grid_barrier = false;
  bool uses_async_copies = false;
  /// Parts of the register file, [begin, end), that have to be zero when a warp starts: what the
  /// code may read before it writes it.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> cleared;

  /// The code with handlers of one instruction set; made at first use. perturbed: with those of
  /// handlers/perturbed.cpp for .approx.
  const Ins* bound(Isa isa, bool perturbed = false) const;

 private:
  mutable std::mutex mutex_;
  mutable std::array<std::vector<Ins>, 2 * kIsaCount> bound_;  // guarded by mutex_ until filled
};

}  // namespace kw::ptxvm

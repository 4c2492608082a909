#pragma once
// Where each virtual register lives in a warp's register file. Registers whose live ranges do not
// meet share a slot, which keeps the file in the host's first-level cache.

#include <cstdint>
#include <optional>
#include <vector>

#include "ir/cfg.h"
#include "ir/fold.h"

namespace kw::ptxvm {

struct Slots {
  std::vector<std::uint32_t> offset;  // by register: bytes into the register file
  std::uint32_t bytes = 0;            // size of the file, a multiple of 256
};

/// Bytes at the start of the file that lowering uses for intermediate values.
inline constexpr std::uint32_t kScratchSlots = 8;
inline constexpr std::uint32_t kScratchSlotBytes = 512;

/// After them: %tid.x to .z and %ctaid.x to .z, a line of 32 values each, never written by code.
inline constexpr std::uint32_t kThreadIndexSlot = kScratchSlots * kScratchSlotBytes;
inline constexpr std::uint32_t kBlockIndexSlot = kThreadIndexSlot + 3 * 128;
inline constexpr std::uint32_t kFirstSlot = kBlockIndexSlot + 3 * 128;

std::vector<int> registers_read(const FlatInstruction& in);  // the guard's too
std::vector<int> registers_written(const FlatInstruction& in);
/// Registers that some path reads, or writes under a guard, before it has written them. Empty where
/// the kernel is too large for the analysis.
std::vector<int> read_before_written(const FlatKernel& kernel, const Cfg& cfg);
/// The same, and nothing where the kernel is too large.
std::optional<std::vector<int>> registers_live_at_entry(const FlatKernel& kernel, const Cfg& cfg);

/// Folded registers get no slot; what they are copies of lives as long as they do.
Slots assign_slots(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds);

/// The number of leading operands that the instruction writes (0, 1; 2 for the pair p|q).
bool writes_first_operand(const FlatInstruction& in);

}  // namespace kw::ptxvm

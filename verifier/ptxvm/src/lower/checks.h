#pragma once
// Which registers the checks of values follow, found by reading the code (README.md, "Registers"
// and "Index overflow"). What is not followed costs nothing.

#include <cstdint>
#include <vector>

#include "ir/cfg.h"
#include "ir/fold.h"
#include "ir/slots.h"

namespace kw::ptxvm {

/// A location in the register file, 0: not followed. Locations by register number.
struct ValueChecks {
  std::uint32_t begin = 0, flags_end = 0;  // in the register file; the flags have to start as zero
  /// Registers that some path reads before writing. Two words: the lanes that have written it
  /// (or all it was made of), and 1 + the instruction that first used an unwritten one.
  std::vector<std::uint32_t> maybe_unwritten;
  /// 32-bit registers of sums and products that become addresses: lanes whose value is not the
  /// exact one as signed and as unsigned arithmetic has it, the instruction that wrapped, and where
  /// the exact values are, from the chain's own location.
  std::vector<std::uint32_t> chain, exact;
  /// 64-bit registers made of those: lanes that are wrong, the instruction that wrapped. Where one
  /// register's flags are another's at all times, they share a location.
  std::vector<std::uint32_t> address;
  /// By register: its definition needs no instruction of the checks.
  std::vector<bool> aliased;
};

/// Finds them and makes the register file larger by what they need.
ValueChecks plan_value_checks(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds,
                              Slots& slots);

}  // namespace kw::ptxvm

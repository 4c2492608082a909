#pragma once
// Registers that need no instruction of their own: copies of other registers, and those whose
// value is known before the kernel runs (literals, addresses, kernel parameters, the launch's
// shape). Lowering reads the original or a pool of constants instead.

#include <cstdint>
#include <vector>

#include "ir/cfg.h"

namespace kw::ptxvm {

/// What a register holds from its only definition on.
struct KnownValue {
  enum class Kind : std::uint8_t {
    Unknown,
    Literal,    // operand: a number or the address of a symbol
    Parameter,  // bytes [offset, offset + bytes) of the kernel's parameters, sign-extended or not
    Special,    // operand: a special register that is_launch_wide() or is_index()
  };
  Kind kind = Kind::Unknown;
  Type type = Type::None;  // of the defining instruction
  const Operand* operand = nullptr;
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;
  bool sign = false;
};

struct Folds {
  std::vector<int> original;      // by register: whose copy it is, itself if nobody's
  std::vector<KnownValue> known;  // by register, after `original`
  std::vector<bool> silent;       // by instruction: what it defines is read elsewhere
  std::vector<bool> once;         // by register: one unguarded definition, before every use

  /// The register to read for `r`.
  int of(int r) const { return original[static_cast<std::size_t>(r)]; }
  const KnownValue& value(int r) const { return known[static_cast<std::size_t>(of(r))]; }
  bool is_known(int r) const { return value(r).kind != KnownValue::Kind::Unknown; }
};

/// Only registers with one unguarded definition, which every path to a use passes, are folded; with
/// `nothing`, and where the kernel is too large to tell, none.
Folds find_folds(const FlatKernel& kernel, const Cfg& cfg, bool nothing);

}  // namespace kw::ptxvm

#pragma once
// Runs of mma.sync: instructions one after another whose operands are decoded once for all of them.
// Lowering says in Ins::x where each finds its operands.

#include <cstdint>

namespace kw::ptxvm {

/// Room for decoded operands, as many fragments of A and of B as a run may use at a time.
inline constexpr std::uint32_t kRunA = 4, kRunB = 8;

/// Ins::x of mma with f32 accumulators. Zero is right for an instruction on its own.
struct RunBits {
  std::uint32_t bits;

  // kHave*: the slot has the operand, if the run got here from the instruction that decoded it.
  static constexpr std::uint32_t kHaveA = 1u << 8, kHaveB = 1u << 9;
  static constexpr std::uint32_t kCrossed = 1u << 10;  // register i of D is register j of C

  static constexpr std::uint32_t pack(std::uint32_t a, std::uint32_t b, std::uint32_t flags) {
    return a | b << 4 | flags;
  }
  constexpr std::uint32_t a() const { return bits & 15u; }
  constexpr std::uint32_t b() const { return bits >> 4 & 15u; }
};

}  // namespace kw::ptxvm

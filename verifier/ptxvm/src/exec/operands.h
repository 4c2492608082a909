#pragma once
// Operand access and field encodings for code that is built once (not per instruction set).

#include <cstdint>

#include "exec/warp.h"

namespace kw::ptxvm {

template <class T>
T* operand(Warp& w, std::uint32_t location) {
  return reinterpret_cast<T*>(w.base[location & 1] + location);
}

// Barrier instructions: Ins::x is the kind; a the barrier's number; b the count, c the predicate.
enum class BarrierKind : std::uint32_t { Sync, Arrive, RedPopc, RedAnd, RedOr };
struct BarrierBits {  // Ins::z
  static constexpr std::uint32_t kCounted = 1, kAligned = 2, kNegated = 4;
};

// wmma instructions: what Code::extra holds before the registers.
struct WmmaFields {
  static constexpr std::uint32_t kRows = 0, kColumns = 1, kDepth = 2;
  static constexpr std::uint32_t kElementBytes = 3, kRegisterBytes = 4, kByRows = 5;  // load and store
  static constexpr std::uint32_t kRegistersA = 3, kRegistersB = 4, kRegistersC = 5;   // mma
  static constexpr std::uint32_t kCount = 6;
};

}  // namespace kw::ptxvm

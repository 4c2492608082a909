#pragma once
// cp.async in two parts: issue_copy.cpp, built for every instruction set, and async_copy.cpp.

#include <cstdint>

#include "exec/control.h"

namespace kw::ptxvm {

/// Ins of $cp.async. a: shared address, b: global address, c: bytes to take (kSized) or the
/// predicate to skip (kIgnored), y: access bits, imm: shared offset in the low half, global offset
/// in the high half.
struct CopyBits {                                                        // z
  static constexpr std::uint32_t kNarrow = 1, kSized = 2, kIgnored = 4;  // kNarrow: a has 32 bits
};

/// A new copy of the warp's; its contents are left over from some other.
AsyncCopy& add_copy(Warp& w);

/// Lane by lane.
void issue_copy(Warp& w, const Ins* ins, CopyWatch watch);

}  // namespace kw::ptxvm

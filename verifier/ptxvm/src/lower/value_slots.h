#pragma once
// Where the exact values of an index computation lie behind its flags (lower/checks.h).

#include <cstdint>

namespace kw::ptxvm {

inline constexpr std::uint32_t kChainExact = 64;

}  // namespace kw::ptxvm

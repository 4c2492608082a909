#pragma once
// The first message of a role.

#include <cstdint>

namespace kw::process {
inline constexpr std::uint32_t kHello = 0x6f6c'6568;  // "helo"
}

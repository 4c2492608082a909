#pragma once
// Special registers by name.

#include <optional>
#include <string_view>

#include "handlers/lane_values.h"

namespace kw::ptxvm {

/// `name` as PTX writes it: "%tid.x".
std::optional<SpecialRegister> special_register(std::string_view name);

/// Whether all warps of a launch read the same values.
bool is_launch_wide(std::optional<SpecialRegister> which);
/// %tid.x to .z and %ctaid.x to .z.
bool is_index(std::optional<SpecialRegister> which);

}  // namespace kw::ptxvm

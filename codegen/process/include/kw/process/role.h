#pragma once
// One executable, many roles: `kernelwright __role NAME` with a channel on descriptor 3.

#include <optional>
#include <span>
#include <string_view>

#include "kw/process/channel.h"

namespace kw::process {

struct Role {
  std::string_view name;
  /// Serves the channel until the peer closes it; the exit code.
  int (*serve)(Channel& channel);
};

/// First thing in main(): when we were started as one of `roles`, runs it and returns the exit code
/// for main() to return. nullopt: an ordinary start.
std::optional<int> run_role_if_asked(int argc, char** argv, std::span<const Role> roles);

inline constexpr std::string_view kRoleArgument = "__role";
/// Set in every role's environment; whoever has it may not start roles.
inline constexpr const char* kRoleVariable = "KW_ROLE";

}  // namespace kw::process

#include "kw/agent/roles.h"

#include <array>

#include "kw/compile/service.h"

namespace kw::agent {

std::span<const process::Role> process_roles() {
  static const std::array roles{compile::compile_role()};
  return roles;
}

}  // namespace kw::agent

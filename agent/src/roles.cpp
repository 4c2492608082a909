#include "kw/agent/roles.h"

#include <array>

#include "kw/compile/service.h"
#include "kw/verify/reference_role.h"
#include "kw/verify/roles.h"
#include "vm/role.h"

namespace kw::agent {

std::span<const process::Role> process_roles() {
  static const std::array roles{compile::compile_role(), verify::vm_role(), verify::cuda_role(),
                                verify::reference_role(), vm::launch_role()};
  return roles;
}

}  // namespace kw::agent

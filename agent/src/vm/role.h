#pragma once
// The process that holds the virtual machine for `kernelwright vm`.

#include "kw/process/role.h"

namespace kw::agent::vm {

/// Answers one Request and ends. It gives up all system calls but computing before it looks at the
/// PTX.
process::Role launch_role();

}  // namespace kw::agent::vm

#pragma once
// For main()'s table of roles: a program that opens devices must offer them.

#include "kw/process/role.h"

namespace kw::verify {

/// The PTX virtual machine's runner.
process::Role vm_role();
/// The CUDA runner.
process::Role cuda_role();

}  // namespace kw::verify

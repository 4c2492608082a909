#pragma once
// The child processes that this executable can become.

#include <span>

#include "kw/process/role.h"

namespace kw::agent {

std::span<const process::Role> process_roles();

}  // namespace kw::agent

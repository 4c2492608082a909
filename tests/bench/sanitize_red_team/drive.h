#pragma once
// The driver: compiles the cases, runs the tools on them side by side, records and summarises.

#include <span>

#include "kw/core/result.h"

namespace kw::redteam {

/// The exit code: 1 when an honest kernel is not clean or something is left to run. Errors: bad
/// arguments, no device, no compiler, a record that cannot be written.
Result<int> drive(std::span<char*> words);

}  // namespace kw::redteam

#pragma once
// Names of workers, from which others on the same machine can tell that one is dead.

#include <string>
#include <string_view>

namespace kw::agent {

/// "HOST/PIDNAMESPACE:PID:STARTTIME:RANDOM" of this process; names of its threads add ":N".
std::string worker_name();

/// True when the name is of a process of this machine and PID namespace that is no longer there.
/// The start time tells it from another process that got the same number. False when that cannot be
/// known.
bool is_dead(std::string_view worker);

}  // namespace kw::agent

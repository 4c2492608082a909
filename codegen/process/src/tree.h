#pragma once
// Killing a process and everything it started, without a PID namespace.

#include <sys/types.h>

namespace kw::process {

/// Stops every descendant of `root` (a subreaper, so that none is lost while it lives), repeating
/// until no new one appears, then kills them all, `root` last. After `root` is dead, members of its
/// session can still be found. Best effort: a descendant that made its own session and whose
/// subreaper has died is out of reach.
void kill_tree(pid_t root) noexcept;

}  // namespace kw::process

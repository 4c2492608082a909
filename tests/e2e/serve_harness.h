#pragma once
// The daemon is killed with SIGKILL while clients submit jobs and watch them, and started again.

#include <chrono>
#include <cstdint>

namespace kw::e2e {

struct ServeRun {
  int struck = 0;                        // kills that found an unfinished job
  std::chrono::milliseconds settled{0};  // from the last restart to the end of the last job
};

/// Submits `jobs` jobs, each with an idempotency key, and watches the event stream of each. Kills
/// the daemon `kills` times, each uniformly within `life` of its (re)start, and starts it again at
/// once. All jobs must end exactly once: by the store's events, and by their streams, resumed with
/// Last-Event-ID. The last restart must do; none follows.
ServeRun serve_and_kill(std::uint64_t seed, int jobs, int kills, std::chrono::milliseconds life);

}  // namespace kw::e2e

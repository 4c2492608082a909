#pragma once
// The program is killed with SIGKILL at uniformly random moments of a job and started again. By the
// endpoint's own log no answered request is sent again; by the store no finished step is repeated;
// replay names the same winner.

#include <chrono>
#include <cstdint>

namespace kw::e2e {

/// Kills a job `kills` times at random moments of `life`, then lets it end and looks.
void survive(std::uint64_t seed, int kills, std::chrono::milliseconds life);
/// How long the job takes when nobody disturbs it.
std::chrono::milliseconds undisturbed();

}  // namespace kw::e2e

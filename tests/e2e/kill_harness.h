#pragma once
// The program is killed with SIGKILL at uniformly random moments of a job and started again. By the
// endpoint's own log no answered request is sent again; by the store no finished step is repeated;
// replay names the same winner.

#include <chrono>
#include <cstdint>

namespace kw::e2e {

/// Kills a job up to `kills` times, each uniformly within `life` of its (re)start, then lets it end
/// and looks. Adds to `struck` the kills that found the job alive.
void survive(std::uint64_t seed, int kills, std::chrono::milliseconds life, int& struck);
/// How long the job takes when nobody disturbs it.
std::chrono::milliseconds undisturbed();

}  // namespace kw::e2e

#pragma once
// Oracles made of others.

#include <memory>

#include "oracle.h"

namespace kw::verify {

/// The device's reference where its kernels cover the graph, the CPU's interpreter for the rest of
/// what is small enough for it. `task` outlives the oracle.
std::unique_ptr<Oracle> make_full_size_oracle(const Task& task, std::unique_ptr<Oracle> device);

/// Adds what the answers of `oracle` take to `spent_ms`, which outlives it.
std::unique_ptr<Oracle> make_timed_oracle(std::unique_ptr<Oracle> oracle, double& spent_ms);

}  // namespace kw::verify

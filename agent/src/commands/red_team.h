#pragma once
// `doctor --red-team`: the judge on trial, on the device at hand.

#include "command.h"

namespace kw::agent {

/// Judges every case whose name holds `filter`; `quick` leaves out those that take seconds by their
/// nature. 0 when everything hostile was refused and everything honest passed, else 1.
Result<int> run_red_team(const Invocation& invocation, const std::string& filter, bool quick);

}  // namespace kw::agent

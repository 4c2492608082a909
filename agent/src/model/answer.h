#pragma once
// A model's answer, read strictly: one ```cuda block with device code, one ```json block with a
// LaunchPlan. Anything else is a finding.

#include <string_view>
#include <variant>

#include "kw/agent/job.h"

namespace kw::agent {

/// `lane` and `round` of a finding are left to the caller.
std::variant<Candidate, Finding> parse_answer(std::string_view text, std::string_view finish_reason,
                                              std::string_view model);

/// Host code in device source: main(), runtime and driver calls, launches, headers that are no
/// toolkit device header, PyTorch. The first offence, with its line; empty when there is none. This
/// only gives the author a clear answer early; what may run is decided on parsed PTX by the judge.
std::string find_host_code(std::string_view source);

}  // namespace kw::agent

#pragma once
// Searching the declared parameters of a template candidate, every configuration judged and timed.

#include "judge_step.h"

namespace kw::agent {

Result<Input> tune_step(const Workbench& bench, const TuneStep& step, std::stop_token stop);

}  // namespace kw::agent

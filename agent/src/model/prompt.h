#pragma once
// What a model is told: the task in a readable form, the rules, the form of the answer, and what
// came of its last attempt. Never the judge's seed.

#include <optional>
#include <string>

#include "kw/agent/proposer.h"

namespace kw::agent {

/// The task's graph, one line per value and node.
std::string describe_graph(const Graph& graph);
/// The first message pair of a lane, the same in every round.
std::string system_prompt();
std::string task_prompt(const Task& task, const DeviceInfo& device, int lane);
/// What was wrong with the last answer, or how fast it was.
std::string feedback_prompt(const RoundFeedback& feedback);

/// The body of the request. `answer` is the model's text of the round before; without one (the wire
/// broke) the task is asked again as if for the first time.
std::string request_body(const ProposeRequest& request, const std::optional<std::string>& answer);

}  // namespace kw::agent

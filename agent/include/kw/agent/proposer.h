#pragma once
// Where candidates come from. Memory, templates, models and recordings answer one interface and run
// together; none of them decides anything.

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "kw/agent/job.h"
#include "kw/agent/judging.h"
#include "kw/core/task.h"

namespace kw::agent {

/// What came of the round before, in this lane.
struct RoundFeedback {
  std::string asked;               // id of the request that was answered
  std::optional<Finding> finding;  // why its answer was no candidate
  std::optional<Outcome> outcome;  // what judging its candidate found
};

struct ProposeRequest {
  std::string job;
  std::string step;
  const JobSpec& spec;
  const Task& task;
  const DeviceInfo& device;
  int limit = 1;
  int lane = -1;  // of a model; -1: not a lane
  int round = 0;
  std::optional<RoundFeedback> feedback;
};

struct Offer {
  Candidate candidate;
  std::string match;  // memory: how the entry answers the question
};

struct Proposal {
  std::vector<Offer> offers;
  std::optional<Finding> finding;  // why there are none, or fewer than asked for
  std::int64_t input_tokens = 0, output_tokens = 0;
  bool tokens_known = true;
};

/// Thread-safe.
class Proposer {
 public:
  virtual ~Proposer() = default;
  virtual ProposerKind kind() const = 0;
  virtual Result<Proposal> propose(const ProposeRequest& request, std::stop_token stop) = 0;
};

}  // namespace kw::agent

#pragma once
// The real work of a job's steps: proposers, judge and tuner over the store.

#include <memory>
#include <vector>

#include "kw/agent/engine.h"
#include "kw/agent/judging.h"
#include "kw/agent/proposer.h"
#include "kw/store/store.h"

namespace kw::agent {

/// One per proposer kind; a kind that is missing answers with a finding. All references outlive the
/// steps.
struct StepServices {
  store::Store& store;
  Judging& judging;
  std::vector<Proposer*> proposers;
};
std::unique_ptr<StepDoer> make_steps(StepServices services);

std::unique_ptr<Proposer> make_memory_proposer(store::Store& store);
std::unique_ptr<Proposer> make_template_proposer(store::Store& store);
/// Replays the answers of a recorded transcript (transcript.h) in order of lane and round.
std::unique_ptr<Proposer> make_replay_proposer(store::Store& store);

/// Extents of a task's inputs in the graph's order, for "nearest shape".
std::vector<std::int64_t> input_extents(const Task& task);
/// 64 bits from the operating system, for the judge's secret.
std::uint64_t random_seed();

}  // namespace kw::agent

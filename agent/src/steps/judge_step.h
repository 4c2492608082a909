#pragma once
// Judging one candidate as a step: the verdict and the timing are recorded under the step's id.

#include <stop_token>

#include "kw/agent/engine.h"
#include "kw/agent/judging.h"
#include "kw/store/store.h"

namespace kw::agent {

struct Workbench {
  store::Store& store;
  Judging& judging;
  const StepContext& context;
  const Task& task;
  const DeviceInfo& device;
};

Result<Input> judge_step(const Workbench& bench, const JudgeStep& step, std::stop_token stop);

}  // namespace kw::agent

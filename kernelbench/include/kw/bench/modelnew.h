#pragma once
// A kernel as one Python file in KernelBench's form: load_inline, and a class ModelNew that stands
// for Model.

#include <string>
#include <vector>

#include "kw/core/candidate.h"
#include "kw/core/task.h"
#include "kw/launch/bound_plan.h"

namespace kw::bench {

struct ModelNew {
  const Task& task;
  const Candidate& candidate;
  const launch::BoundPlan& plan;   // the candidate's own, bound for the device it will run on
  std::string kernel;              // its id
  std::vector<std::string> notes;  // lines of the file's header: where it was judged, and how fast
};

/// The text of the file. It makes the parameters as the model's constructor does, bit for bit under
/// the same seed; declares every top-level name with a prefix, since KernelBench runs it in the
/// reference's own namespace; and asks for its workspace at every call. Setup nodes run at every
/// call too. Unsupported, with the place: predicates, tensor maps, strided or coded tensors, state
/// that the constructor draws at random and the plan reads, outputs that are inputs.
Result<std::string> to_python(const ModelNew& model);

/// "level_1_problem_19_sample_0_kernel.py", where KernelBench's run folder looks for a built-in
/// task; the task's name with other signs replaced and ".py" for any other.
std::string modelnew_file_name(std::string_view task_name);

}  // namespace kw::bench

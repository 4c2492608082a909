#pragma once
// The built-in generator: a task in, candidates out, best first. No model, no network, no GPU.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/interfaces.h"
#include "kw/core/task.h"

namespace kw::codegen {

/// What the generator knows of the device it writes for.
struct Target {
  std::string arch = "sm_80";
  std::int64_t sm_count = 132;
  std::int64_t shared_per_block = 227 * 1024;
  std::int64_t l2_bytes = 50 << 20;
};
/// The target of small shapes in the virtual machine: few SMs, so that every launch has several
/// blocks and every loop several trips.
Target virtual_machine_target();

/// Candidates for the whole task (regions composed into one plan, scratch packed), cheapest
/// predicted cost first; the last one is always the generic loop-nest fallback. An unknown operator
/// is an error that names it with its node.
Result<std::vector<Candidate>> generate(const Task& task, const Target& target,
                                        int max_candidates = 3);

/// The declared parameters of a template candidate, at this task's shapes.
Result<ParameterSpace> parameter_space(const Task& task, const Candidate& candidate,
                                       const Target& target);
/// The same cover under another configuration.
Result<Candidate> with_parameters(const Task& task, const Candidate& candidate,
                                  const Config& config, const Target& target);

/// Tasks of number formats: "nvfp4/gemv?m=1&n=4096&k=4096", ".../quantize?rows=..&k=..",
/// ".../dequantize?rows=..&k=..". `small` gives the shapes for the virtual machine.
Result<Task> format_task(std::string_view path_and_query, bool small);
/// The shipped format descriptors by name, embedded at build time.
Result<Format> find_format(std::string_view name);
std::vector<std::string> format_names();

}  // namespace kw::codegen

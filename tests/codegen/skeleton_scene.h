#pragma once
// Candidates that use one skeleton, under random schedules, judged in the virtual machine.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/core/random.h"
#include "kw/verify/judge.h"

namespace kw::codegen::testing_skeleton {

inline compile::CompileService& compiler() {
  static compile::CompileService instance({.processes = 2, .deadline = std::chrono::minutes(1)});
  return instance;
}

/// Empty when the candidate passes, otherwise why not.
inline std::string complaint(const Task& task, const Candidate& candidate, verify::Device& device,
                             bool full) {
  verify::Judge judge(compiler(), device);
  const auto outcome = judge.judge(task, candidate, {.seed = 17, .full = full}, {});
  if (!outcome) return outcome.error().message;
  const auto* rejected = std::get_if<Rejected>(&*outcome);
  if (rejected == nullptr) return {};
  return fmt::format("{}, {}", to_string(rejected->kind), rejected->reason);
}

/// Another schedule that the candidate's space allows, or its own where none is found.
inline Candidate rescheduled(const Task& task, const Candidate& candidate, const Target& target,
                             RandomStream& random) {
  const auto space = parameter_space(task, candidate, target);
  if (!space) {
    ADD_FAILURE() << candidate.cover << ": " << space.error().message;
    return candidate;
  }
  for (int attempt = 0; attempt < 200; ++attempt) {
    Config config = candidate.parameters;
    for (const Parameter& parameter : space->parameters) {
      config[parameter.name] = parameter.domain[random.below(parameter.domain.size())];
    }
    if (!space->allows(config)) continue;
    auto made = with_parameters(task, candidate, config, target);
    if (made) return std::move(*made);
    ADD_FAILURE() << candidate.cover << ": " << made.error().message;
    break;
  }
  return candidate;
}

/// Judges the first candidate with the skeleton as it is and under `schedules` random schedules,
/// and every other candidate with it as it is. Returns the forms that were met.
inline std::vector<std::string> judge_skeleton(const Task& task, const std::string& skeleton,
                                               verify::Device& device, int schedules, bool full,
                                               RandomStream& random) {
  const Target target = virtual_machine_target();
  std::vector<std::string> forms;
  const auto candidates = generate(task, target, 4);
  if (!candidates) {
    ADD_FAILURE() << task.name << ": " << candidates.error().message;
    return forms;
  }
  int extra = schedules;
  for (const Candidate& candidate : *candidates) {
    const std::size_t at = candidate.cover.find(skeleton + "@");
    if (at == std::string::npos) continue;
    const std::size_t colon = candidate.cover.find(':', at);
    forms.push_back(candidate.cover.substr(colon + 1, candidate.cover.find('[', at) - colon - 1));
    for (; extra >= 0; --extra) {
      const Candidate tried =
          extra == schedules ? candidate : rescheduled(task, candidate, target, random);
      std::string parameters;
      for (const auto& [name, value] : tried.parameters)
        parameters += fmt::format(" {}={}", name, value);
      EXPECT_EQ(complaint(task, tried, device, full), "")
          << task.name << " " << tried.cover << parameters << "\n"
          << to_json(task);
    }
    extra = 0;
  }
  return forms;
}

}  // namespace kw::codegen::testing_skeleton

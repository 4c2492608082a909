// What the generator emits, judged in the virtual machine: every candidate of every small task, and
// every cover of random graphs (so that skeletons and the fallback are held to the same reference).

#include <gtest/gtest.h>

#include <cstdlib>

#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "random_graph.h"
#include "tasks.h"

namespace kw::codegen {
namespace {

class Judged : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler().info()) GTEST_SKIP() << "no NVRTC here";
    device_ = verify::open_device("vm").value();
  }
  static compile::CompileService& compiler() {
    static compile::CompileService instance({.processes = 2});
    return instance;
  }

  void expect_pass(const Task& task, const Candidate& candidate, bool full) {
    verify::Judge judge(compiler(), *device_);
    const auto outcome = judge.judge(task, candidate, {.seed = 17, .full = full}, {});
    ASSERT_TRUE(outcome) << task.name << " " << candidate.cover << ": " << outcome.error().message;
    if (const auto* rejected = std::get_if<Rejected>(&*outcome)) {
      ADD_FAILURE() << task.name << " " << candidate.cover << ": " << to_string(rejected->kind)
                    << ", " << rejected->reason << "\n"
                    << to_json(task) << "\n"
                    << candidate.source.substr(candidate.source.find("// ---- region"));
    }
  }

  std::unique_ptr<verify::Device> device_;
};

TEST_F(Judged, EveryCandidateOfASmallTaskPasses) {
  for (const auto& [name, task, small] : testing_tasks::sampled_tasks()) {
    if (!small) continue;
    const auto candidates = generate(task, virtual_machine_target(), 3);
    ASSERT_TRUE(candidates) << name << ": " << candidates.error().message;
    for (std::size_t c = 0; c < candidates->size(); ++c)
      expect_pass(task, (*candidates)[c], c == 0);
  }
}

TEST_F(Judged, SkeletonsAndFallbackAgreeOnRandomGraphs) {
  // KW_RANDOM_GRAPHS=1000 for the long run.
  const char* many = std::getenv("KW_RANDOM_GRAPHS");
  const std::uint64_t last = many != nullptr ? std::strtoull(many, nullptr, 10) : 40;
  for (std::uint64_t seed = 1; seed <= last; ++seed) {
    const Task task = testing_random::random_task(seed);
    if (task.graph.outputs.empty()) continue;
    ASSERT_TRUE(validate(task)) << validate(task).error().message;
    const auto candidates = generate(task, virtual_machine_target(), 6);
    ASSERT_TRUE(candidates) << task.name << ": " << candidates.error().message;
    for (const Candidate& candidate : *candidates) expect_pass(task, candidate, false);
    if (HasFailure()) return;
  }
}

/// The neighbours of a heuristic: each parameter alone at the ends of its domain.
TEST_F(Judged, EveryScheduleIsRight) {
  for (const char* stem : {"level1_23.small", "level1_36.small", "level1_40.small",
                           "level1_47.small", "level1_94.small", "level1_12.small"}) {
    const auto task = testing_tasks::kernelbench_task(stem);
    ASSERT_TRUE(task);
    const Target target = virtual_machine_target();
    const auto candidates = generate(*task, target, 4);
    ASSERT_TRUE(candidates);
    for (const Candidate& candidate : *candidates) {
      const auto space = parameter_space(*task, candidate, target);
      ASSERT_TRUE(space);
      for (const Parameter& parameter : space->parameters) {
        for (const std::int64_t value : {parameter.domain.front(), parameter.domain.back()}) {
          Config config = candidate.parameters;
          config[parameter.name] = value;
          if (!space->allows(config)) continue;
          const auto other = with_parameters(*task, candidate, config, target);
          ASSERT_TRUE(other) << stem << ": " << other.error().message;
          expect_pass(*task, *other, false);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kw::codegen

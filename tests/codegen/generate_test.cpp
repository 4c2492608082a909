#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tasks.h"

namespace kw::codegen {
namespace {

using testing_tasks::sampled_tasks;
using testing_tasks::h100;

TEST(Generate, ATaskHasCandidatesAndAFallbackLast) {
  // With KW_DUMP the sources are written there, for compilers and eyes.
  const char* dump = std::getenv("KW_DUMP");
  for (const auto& [name, task, small] : sampled_tasks()) {
    const auto candidates = generate(task, small ? virtual_machine_target() : h100());
    ASSERT_TRUE(candidates) << name << ": " << candidates.error().message;
    ASSERT_FALSE(candidates->empty());
    EXPECT_THAT(candidates->back().cover, testing::StartsWith("fallback@2")) << name;
    for (std::size_t c = 0; c < candidates->size(); ++c) {
      const Candidate& candidate = (*candidates)[c];
      EXPECT_TRUE(parse_launch_plan(to_json(candidate.plan))) << name << " " << candidate.cover;
      if (dump != nullptr) {
        std::ofstream(std::filesystem::path(dump) / fmt::format("{}.{}.cu", name, c))
            << candidate.source;
      }
    }
  }
}

TEST(Generate, IsReproducibleByteForByte) {
  const auto task = format_task("nvfp4/quantize", true);
  ASSERT_TRUE(task);
  const auto a = generate(*task, virtual_machine_target()),
             b = generate(*task, virtual_machine_target());
  ASSERT_TRUE(a && b);
  ASSERT_EQ(a->size(), b->size());
  for (std::size_t i = 0; i < a->size(); ++i) {
    EXPECT_EQ((*a)[i].source, (*b)[i].source);
    EXPECT_EQ(to_json((*a)[i].plan), to_json((*b)[i].plan));
  }
}

TEST(Generate, WithItsOwnParametersACandidateIsItself) {
  for (const auto& [name, task, small] : sampled_tasks()) {
    if (!small) continue;
    const Target target = virtual_machine_target();
    const auto candidates = generate(task, target);
    ASSERT_TRUE(candidates);
    for (const Candidate& candidate : *candidates) {
      const auto space = parameter_space(task, candidate, target);
      ASSERT_TRUE(space) << name << " " << space.error().message;
      EXPECT_TRUE(space->allows(space->heuristic())) << name << " " << candidate.cover;
      EXPECT_EQ(space->heuristic(), candidate.parameters) << name;
      const auto again = with_parameters(task, candidate, candidate.parameters, target);
      ASSERT_TRUE(again) << name << " " << again.error().message;
      EXPECT_EQ(again->source, candidate.source);
    }
  }
}

TEST(Generate, NamesAnUnknownOperatorWithItsNode) {
  auto task = format_task("mxfp4/quantize", true);
  ASSERT_TRUE(task);
  task->graph.nodes[0].op = "aten.frobnicate";
  const auto candidates = generate(*task, virtual_machine_target());
  ASSERT_FALSE(candidates);
  EXPECT_THAT(candidates.error().message, testing::HasSubstr("aten.frobnicate"));
  EXPECT_THAT(candidates.error().message, testing::HasSubstr("node 0"));
}

}  // namespace
}  // namespace kw::codegen

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/codegen/generator.h"

namespace kw::codegen {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::pair<std::string, Task>> all_tasks() {
  std::vector<std::pair<std::string, Task>> tasks;
  for (const auto& entry : fs::directory_iterator(fs::path(KW_SOURCE_DIR) / "kernelbench/tasks")) {
    auto task = parse_task(read(entry.path()));
    EXPECT_TRUE(task) << entry.path() << (task ? "" : task.error().message);
    if (task) tasks.emplace_back(entry.path().stem().string(), std::move(*task));
  }
  for (const std::string& format : format_names()) {
    for (const char* kind : {"quantize", "dequantize", "gemv"}) {
      for (const bool small : {false, true}) {
        auto task = format_task(format + "/" + kind, small);
        EXPECT_TRUE(task) << format << kind << (task ? "" : task.error().message);
        if (task)
          tasks.emplace_back(format + "_" + kind + (small ? ".small" : ""), std::move(*task));
      }
    }
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return tasks;
}

Target h100() {
  Target target;
  target.arch = "sm_90";
  return target;
}

TEST(Generate, EveryTaskHasCandidatesAndAFallbackLast) {
  // With KW_DUMP the sources are written there, for compilers and eyes.
  const char* dump = std::getenv("KW_DUMP");
  for (const auto& [name, task] : all_tasks()) {
    const bool small = name.find(".small") != std::string::npos;
    const auto candidates = generate(task, small ? virtual_machine_target() : h100());
    ASSERT_TRUE(candidates) << name << ": " << candidates.error().message;
    ASSERT_FALSE(candidates->empty());
    EXPECT_THAT(candidates->back().cover, testing::StartsWith("fallback@1")) << name;
    for (std::size_t c = 0; c < candidates->size(); ++c) {
      const Candidate& candidate = (*candidates)[c];
      EXPECT_TRUE(parse_launch_plan(to_json(candidate.plan))) << name << " " << candidate.cover;
      if (dump != nullptr) {
        std::ofstream(fs::path(dump) / fmt::format("{}.{}.cu", name, c)) << candidate.source;
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
  for (const auto& [name, task] : all_tasks()) {
    if (name.find(".small") == std::string::npos) continue;
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

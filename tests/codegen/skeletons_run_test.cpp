// Every skeleton is part of a candidate for sm_80 that passes in the virtual machine.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "random_graph.h"
#include "tasks.h"

namespace kw::codegen {
namespace {

// Lines of code that are in one file alone, so that they tell which files a source is made of.
std::map<std::string, std::string> telling_lines() {
  std::map<std::string, std::vector<std::string>> lines;
  std::map<std::string, int> files_with;
  for (const auto& entry :
       std::filesystem::directory_iterator(KW_SOURCE_DIR "/codegen/skeletons")) {
    if (entry.path().extension() != ".cuh") continue;
    std::ifstream in(entry.path());
    std::set<std::string> distinct;
    for (std::string line; std::getline(in, line);) {
      const std::size_t code = line.find_first_not_of(' ');
      if (code == std::string::npos || line.compare(code, 2, "//") == 0 || line.size() < 30)
        continue;
      if (distinct.insert(line).second) lines[entry.path().filename()].push_back(line);
    }
    for (const std::string& line : distinct) ++files_with[line];
  }
  std::map<std::string, std::string> out;
  for (const auto& [file, all] : lines) {
    for (const std::string& line : all) {
      if (files_with[line] == 1) {
        out[file] = line;
        break;
      }
    }
    EXPECT_TRUE(out.contains(file)) << file << " has no line of its own";
  }
  return out;
}

std::vector<Task> small_tasks() {
  std::vector<Task> out;
  const auto add = [&](const std::string& name, Result<Task> task) {
    EXPECT_TRUE(task) << name << (task ? "" : ": " + task.error().message);
    if (task) out.push_back(std::move(*task));
  };
  std::set<std::string> stems;
  for (const auto& entry :
       std::filesystem::directory_iterator(KW_SOURCE_DIR "/kernelbench/tasks")) {
    if (entry.path().stem().string().ends_with(".small")) stems.insert(entry.path().stem());
  }
  for (const std::string& stem : stems) add(stem, testing_tasks::kernelbench_task(stem));
  // No task of KernelBench is of bf16: one as if.
  auto relu = to_json(testing_tasks::kernelbench_task("level1_19.small").value());
  for (std::size_t at; (at = relu.find("\"f32\"")) != std::string::npos;)
    relu.replace(at, 5, "\"bf16\"");
  add("relu of bf16", parse_task(relu));
  // Nor are their small rows too long for a block, yet short enough for the cache.
  testing_random::Sketch norm(1);
  const Shape rows = {32, 16384};
  norm.finish(norm.node("aten.layer_norm", {norm.input(rows)},
                        {{"normalized_shape", Shape{rows[1]}}, {"eps", 1e-5}}, rows));
  add("layer norm of long rows", std::move(norm).task());
  // KernelBench's tasks ask for FP32; PyTorch's own default for convolutions has a form of its own.
  for (const char* stem : {"level1_55.small", "level1_63.small"}) {
    auto convolution = testing_tasks::kernelbench_task(stem);
    if (convolution) convolution->policy.convolution = PolicyClass::Tf32;
    add(fmt::format("{} under tf32", stem), std::move(convolution));
  }
  for (const std::string& format : format_names()) {
    for (const char* kind : {"quantize", "dequantize", "gemv"})
      add(format + "/" + kind, format_task(format + "/" + kind, true));
  }
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Task task = testing_random::random_task(seed);
    if (!task.graph.outputs.empty()) out.push_back(std::move(task));
  }
  return out;
}

TEST(Skeletons, AllRunInTheVirtualMachineForSm80) {
  compile::CompileService compiler({.processes = 2});
  if (!compiler.info()) GTEST_SKIP() << "no NVRTC here";
  const auto device = verify::open_device("vm").value();
  const auto telling = telling_lines();
  ASSERT_GE(telling.size(), 15u);
  std::set<std::string> run;
  for (const Task& task : small_tasks()) {
    if (run.size() == telling.size()) break;
    const auto candidates = generate(task, virtual_machine_target(), 4);
    ASSERT_TRUE(candidates) << task.name << ": " << candidates.error().message;
    for (const Candidate& candidate : *candidates) {
      std::vector<std::string> fresh;
      for (const auto& [file, line] : telling) {
        if (!run.contains(file) && candidate.source.find(line) != std::string::npos)
          fresh.push_back(file);
      }
      if (fresh.empty()) continue;
      verify::Judge judge(compiler, *device);
      const auto outcome = judge.judge(task, candidate, {.seed = 17, .full = false}, {});
      ASSERT_TRUE(outcome) << task.name << " " << candidate.cover << ": "
                           << outcome.error().message;
      const auto* rejected = std::get_if<Rejected>(&*outcome);
      EXPECT_EQ(rejected, nullptr) << task.name << " " << candidate.cover << ": "
                                   << (rejected != nullptr ? rejected->reason : "");
      run.insert(fresh.begin(), fresh.end());
    }
  }
  for (const auto& [file, line] : telling) {
    EXPECT_TRUE(run.contains(file)) << file << " is in no candidate (\"" << line << "\")";
  }
}

}  // namespace
}  // namespace kw::codegen

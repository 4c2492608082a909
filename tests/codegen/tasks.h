#pragma once
// The tasks that every test of the generator walks through.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/codegen/generator.h"

namespace kw::codegen::testing_tasks {

inline Result<Task> kernelbench_task(const std::string& stem) {
  std::ifstream in(std::filesystem::path(KW_SOURCE_DIR) / "kernelbench/tasks" / (stem + ".json"));
  std::stringstream text;
  text << in.rdbuf();
  return parse_task(text.str());
}

struct Named {
  std::string name;
  Task task;
  bool small = false;
};

/// Every task of formats, and of KernelBench's every n-th, another one of each n every day (all of
/// them under KW_ALL_TASKS): original and small.
inline std::vector<Named> sampled_tasks(std::size_t kernelbench_tasks = 20) {
  std::vector<Named> tasks;
  const auto add = [&](const std::string& name, Result<Task> task, bool small) {
    EXPECT_TRUE(task) << name << (task ? "" : ": " + task.error().message);
    if (task) tasks.push_back({name, std::move(*task), small});
  };
  const auto folder = std::filesystem::path(KW_SOURCE_DIR) / "kernelbench/tasks";
  std::vector<std::string> stems;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    if (!stem.ends_with(".small")) stems.push_back(stem);
  }
  std::sort(stems.begin(), stems.end());
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const bool all = std::getenv("KW_ALL_TASKS") != nullptr;
  const std::size_t step = all ? 1 : std::max<std::size_t>(stems.size() / kernelbench_tasks, 1);
  for (auto i = static_cast<std::size_t>(day.time_since_epoch().count()) % step; i < stems.size();
       i += step) {
    add(stems[i], kernelbench_task(stems[i]), false);
    add(stems[i] + ".small", kernelbench_task(stems[i] + ".small"), true);
  }
  for (const std::string& format : format_names()) {
    for (const char* kind : {"quantize", "dequantize", "gemv"}) {
      for (const bool small : {false, true}) {
        add(format + "_" + kind + (small ? ".small" : ""), format_task(format + "/" + kind, small),
            small);
      }
    }
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const Named& a, const Named& b) { return a.name < b.name; });
  return tasks;
}

inline Target h100() {
  Target target;
  target.arch = "sm_90";
  return target;
}

}  // namespace kw::codegen::testing_tasks

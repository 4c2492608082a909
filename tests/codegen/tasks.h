#pragma once
// The tasks that every test of the generator walks through.

#include <gtest/gtest.h>

#include <algorithm>
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

/// The 20 KernelBench tasks and the 21 of formats, original and small.
inline std::vector<Named> all_tasks() {
  std::vector<Named> tasks;
  const auto add = [&](const std::string& name, Result<Task> task, bool small) {
    EXPECT_TRUE(task) << name << (task ? "" : ": " + task.error().message);
    if (task) tasks.push_back({name, std::move(*task), small});
  };
  const auto folder = std::filesystem::path(KW_SOURCE_DIR) / "kernelbench/tasks";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string stem = entry.path().stem().string();
    add(stem, kernelbench_task(stem), stem.ends_with(".small"));
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

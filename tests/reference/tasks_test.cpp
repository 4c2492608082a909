// The interpreter knows every task of the suite that the tree carries, and is fast enough for them.

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/core/random.h"
#include "kw/core/task.h"
#include "kw/reference/interpret.h"

namespace kw::reference {
namespace {

TEST(Tasks, SmallVariantsRunInterpretedWithFiniteBounds) {
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(KW_SOURCE_DIR "/kernelbench/tasks")) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".small.json")) continue;
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    const auto task = parse_task(text.str());
    ASSERT_TRUE(task) << path << ": " << task.error().message;
    Tensors inputs;
    RandomStream random(1, 2);
    for (const Draw& draw : task->draws) {
      Tensor t = make_tensor(task->graph.value(draw.value).shape);
      for (double& v : t.value) v = static_cast<double>(static_cast<float>(random.uniform()));
      inputs.emplace(draw.value, std::move(t));
    }
    const auto start = std::chrono::steady_clock::now();
    const auto got =
        interpret(task->graph, format_table(task->formats), inputs, {.policy = task->policy});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(got) << path << ": " << got.error().message;
    for (const Tensor& t : *got) {
      for (std::size_t i = 0; i < t.size(); ++i) {
        ASSERT_TRUE(std::isfinite(t.value[i]) && std::isfinite(t.bound_at(i))) << path;
        ASSERT_LE(t.bound_at(i), 1e-3 * (1 + std::fabs(t.value[i]))) << path;
      }
    }
    EXPECT_LT(took.count(), 2) << path;
    ++seen;
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace kw::reference

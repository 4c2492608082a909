// The interpreter knows every task of the suite that the tree carries, and is fast enough for them.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kw/core/random.h"
#include "kw/core/task.h"
#include "kw/reference/interpret.h"

namespace kw::reference {
namespace {

/// Problems whose small variants are of the first tiers: everything about them is judged element by
/// element. Whole networks are judged region by region.
constexpr std::array kStrict{"level1_1.",  "level1_4.",   "level1_5.",  "level1_12.", "level1_16.",
                             "level1_19.", "level1_22.",  "level1_23.", "level1_25.", "level1_26.",
                             "level1_36.", "level1_40.",  "level1_47.", "level1_48.", "level1_88.",
                             "level1_94.", "level1_100.", "level2_12.", "level2_76.", "level2_99."};

TEST(Tasks, UseOnlyKnownOperators) {
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(KW_SOURCE_DIR "/kernelbench/tasks")) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    const auto task = parse_task(text.str());
    ASSERT_TRUE(task) << entry.path() << ": " << task.error().message;
    for (const Node& node : task->graph.nodes) {
      EXPECT_TRUE(knows_operator(node.op)) << entry.path() << ": " << node.op;
    }
    ++seen;
  }
  EXPECT_GT(seen, 200);
}

TEST(Tasks, SmallVariantsRunInterpretedWithFiniteBounds) {
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(KW_SOURCE_DIR "/kernelbench/tasks")) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".small.json")) continue;
    const std::string stem = entry.path().filename().string();
    if (std::none_of(kStrict.begin(), kStrict.end(),
                     [&](const char* strict) { return stem.starts_with(strict); })) {
      continue;
    }
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
    const auto got =
        interpret(task->graph, format_table(task->formats), inputs, {.policy = task->policy});
    ASSERT_TRUE(got) << path << ": " << got.error().message;
    for (const Tensor& t : *got) {
      for (std::size_t i = 0; i < t.size(); ++i) {
        ASSERT_TRUE(std::isfinite(t.value[i]) && std::isfinite(t.bound_at(i))) << path;
        ASSERT_LE(t.bound_at(i), 1e-3 * (1 + std::fabs(t.value[i]))) << path;
      }
    }
    ++seen;
  }
  EXPECT_EQ(seen, 20);
}

}  // namespace
}  // namespace kw::reference

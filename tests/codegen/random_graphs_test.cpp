// Random graphs of the operator set, generated, compiled and judged in the virtual machine: two
// seeds that are always the same and two that are today's. KW_RANDOM_GRAPHS=FIRST-LAST judges
// those seeds instead; KW_RANDOM_COVERS says how many candidates of each (the fallback is the
// last).

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <set>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "random_graph.h"

namespace kw::codegen {
namespace {

std::vector<std::uint64_t> chosen_seeds() {
  if (const char* range = std::getenv("KW_RANDOM_GRAPHS")) {
    char* end = nullptr;
    const std::uint64_t first = std::strtoull(range, &end, 10);
    const std::uint64_t last = *end == '-' ? std::strtoull(end + 1, nullptr, 10) : first;
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
    return seeds;
  }
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const auto today = static_cast<std::uint64_t>(day.time_since_epoch().count());
  return {1, 2, 2 * today, 2 * today + 1};
}

int covers_of_each() {
  const char* covers = std::getenv("KW_RANDOM_COVERS");
  return covers != nullptr ? std::max(1, std::atoi(covers)) : 1;
}

/// Empty when the candidate passes, otherwise why not.
std::string complaint(const Task& task, const Candidate& candidate, verify::Device& device) {
  static compile::CompileService compiler({.processes = 2, .deadline = std::chrono::minutes(1)});
  verify::Judge judge(compiler, device);
  const auto outcome = judge.judge(task, candidate, {.seed = 17, .full = false}, {});
  if (!outcome) return outcome.error().message;
  const auto* rejected = std::get_if<Rejected>(&*outcome);
  if (rejected == nullptr) return {};
  return fmt::format("{}, {}", to_string(rejected->kind), rejected->reason);
}

TEST(RandomGraphs, AreSolvedLikeAnyOther) {
  compile::CompileService probe({.processes = 1});
  if (!probe.info()) GTEST_SKIP() << "no NVRTC here";
  const auto device = verify::open_device("vm").value();
  int judged = 0;
  for (const std::uint64_t seed : chosen_seeds()) {
    const Task task = testing_random::random_task(seed);
    if (task.graph.outputs.empty()) continue;
    ASSERT_TRUE(validate(task)) << task.name << ": " << validate(task).error().message;
    const auto candidates = generate(task, virtual_machine_target(), std::max(2, covers_of_each()));
    ASSERT_TRUE(candidates) << task.name << ": " << candidates.error().message;
    ++judged;
    for (std::size_t c = 0; c < candidates->size(); ++c) {
      if (c >= static_cast<std::size_t>(covers_of_each())) break;
      const Candidate& candidate = (*candidates)[c];
      const std::string why = complaint(task, candidate, *device);
      if (why.empty()) continue;
      ADD_FAILURE() << task.name << " " << candidate.cover << ": " << why << "\n" << to_json(task);
    }
    if (judged % 50 == 0)
      std::printf("%d graphs judged, seed %llu\n", judged, static_cast<unsigned long long>(seed));
    std::fflush(stdout);
  }
  std::printf("%d graphs judged\n", judged);
}

TEST(RandomGraphs, ReachEveryKindOfOperator) {
  std::set<std::string> met;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    for (const Node& node : testing_random::random_task(seed).graph.nodes) met.insert(node.op);
  }
  EXPECT_GT(met.size(), 100u);
  for (const char* op : {"aten.conv_transpose3d", "aten.gru.input", "aten.slice_scatter",
                         "aten.scaled_dot_product_attention", "aten.native_layer_norm",
                         "aten.upsample_nearest2d.vec", "aten.batch_norm", "aten.logcumsumexp"}) {
    EXPECT_TRUE(met.contains(op)) << op;
  }
}

TEST(RandomGraphs, FollowFromTheirSeed) {
  for (const std::uint64_t seed : {3ull, 77ull}) {
    EXPECT_EQ(to_json(testing_random::random_task(seed)),
              to_json(testing_random::random_task(seed)));
  }
}

}  // namespace
}  // namespace kw::codegen

// A graph so deep that the bounds of its output say nothing is judged step by step (V18): an honest
// program passes by its steps, and one that confuses two weights on the way is found.

#include <gtest/gtest.h>

#include <algorithm>

#include "kw/codegen/generator.h"
#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "random/sketch.h"

namespace kw::codegen {
namespace {

constexpr int kLayers = 12;

/// x -> layer_norm(linear(x)), twelve times: each layer may amplify an error several times.
Task deep_task() {
  testing_random::Sketch s(5);
  const Shape shape = {9, 64};
  ValueId x = s.input(shape);
  for (int layer = 0; layer < kLayers; ++layer) {
    x = s.node("aten.linear", {x, s.input({64, 64})}, {}, shape);
    x = s.node("aten.layer_norm", {x}, {{"normalized_shape", Shape{64}}, {"eps", 1e-5}}, shape);
  }
  s.finish(x);
  return std::move(s).task();
}

class Steps : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler_.info()) GTEST_SKIP() << "no NVRTC here";
    device_ = verify::open_device("vm").value();
    task_ = deep_task();
    auto candidates = generate(task_, virtual_machine_target(), 2);
    ASSERT_TRUE(candidates) << candidates.error().message;
    candidate_ = std::move(candidates->front());
  }
  Outcome judged(const Candidate& candidate, std::set<std::string, std::less<>> without = {}) {
    verify::Judge judge(compiler_, *device_);
    return judge
        .judge(task_, candidate, {.seed = 17, .full = false, .without = std::move(without)}, {})
        .value();
  }

  compile::CompileService compiler_{{.processes = 1, .deadline = std::chrono::minutes(1)}};
  std::unique_ptr<verify::Device> device_;
  Task task_;
  Candidate candidate_;
};

const CheckRecord* steps_of(const Evidence& evidence) {
  const auto found = std::find_if(evidence.checks.begin(), evidence.checks.end(),
                                  [](const CheckRecord& c) { return c.check.starts_with("V18"); });
  return found == evidence.checks.end() ? nullptr : &*found;
}

TEST_F(Steps, AnHonestDeepProgramPassesByItsSteps) {
  const Outcome outcome = judged(candidate_);
  ASSERT_TRUE(passed(outcome)) << std::get<Rejected>(outcome).reason;
  const CheckRecord* record = steps_of(std::get<Passed>(outcome).evidence);
  ASSERT_NE(record, nullptr);
  EXPECT_LT(record->figures.at("telling_share"), 0.5);
  EXPECT_GE(record->figures.at("steps"), kLayers);
  EXPECT_EQ(record->figures.at("judged"), record->figures.at("elements"));
  EXPECT_LE(record->figures.at("max_error_in_bounds"), 1);
}

TEST_F(Steps, AConfusedWeightOnTheWayIsFound) {
  // The fifth product reads the weight of the sixth: the output stays within its useless bound.
  std::vector<std::string> weights;
  for (const Node& node : task_.graph.nodes) {
    if (node.op == "aten.linear") weights.push_back(task_.graph.value(node.inputs[1]).name);
  }
  Candidate wrong = candidate_;
  int changed = 0;
  for (PlanNode& node : wrong.plan.run) {
    auto* kernel = std::get_if<KernelNode>(&node.what);
    if (kernel == nullptr) continue;
    for (PlanArg& arg : kernel->args) {
      auto* buffer = std::get_if<BufferArg>(&arg);
      if (buffer == nullptr || buffer->buffer != weights[4]) continue;
      buffer->buffer = weights[5];
      ++changed;
    }
  }
  ASSERT_GT(changed, 0);
  EXPECT_TRUE(passed(judged(wrong, {"V18"})));
  const Outcome outcome = judged(wrong);
  ASSERT_FALSE(passed(outcome));
  EXPECT_EQ(std::get<Rejected>(outcome).kind, RejectKind::WrongResult);
  EXPECT_EQ(std::get<Rejected>(outcome).witness.at("check"), "V18");
}

}  // namespace
}  // namespace kw::codegen

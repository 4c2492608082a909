// The GPU's comparison against the CPU's: the same outputs, under the same rules, get the same
// verdict.

#include "oracle.h"
#include "verifier/gpu_reference.h"

namespace kw::verify::gpu {
namespace {

/// Judges outputs that lie `units` of c off the reference, both ways.
void same_verdict(Accelerator& device, const Task& task, Family family, double units) {
  const auto plan = plan_trial(task, "", family, kNoValue, 5);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto cpu = make_cpu_oracle(task, 1);
  const auto expected = cpu->expected(*plan, {});
  ASSERT_TRUE(expected) << expected.error().message;
  reference::Tensor off = (*expected)->front();
  for (std::size_t i = 0; i < off.size(); ++i) {
    // Errors of one sign, so that the test of the mean has something to find.
    if (std::isfinite(off.value[i]) && !off.magnitude.empty()) {
      off.value[i] += units * off.magnitude[i];
    }
  }
  const DType type = task.graph.value(task.graph.outputs[0]).dtype;
  const std::vector<std::byte> bytes = reference::encode_tensor(off, type);
  const auto want = cpu->judge(*plan, {{bytes, -1, 0, 0}}, {});
  const auto got = judge_trial(device, task, *plan, {bytes}, {});
  ASSERT_TRUE(want) << want.error().message;
  ASSERT_TRUE(got) << got.error().message;
  const Comparison &a = want->outputs[0], &b = got->outputs[0];
  const std::string what = fmt::format("{} {} at {}", task.name, to_string(family), units);
  EXPECT_EQ(a.elements, b.elements) << what;
  EXPECT_EQ(a.judged, b.judged) << what;
  EXPECT_EQ(a.wrong, b.wrong) << what;
  EXPECT_EQ(a.passed(), b.passed()) << what;
  EXPECT_TRUE(close(a.worst, b.worst, 1e-6)) << what << ": " << a.worst << " and " << b.worst;
  EXPECT_TRUE(close(a.mean_allowed, b.mean_allowed, 1e-9)) << what;
  EXPECT_LE(std::fabs(a.mean_signed - b.mean_signed), 1e-6 * a.mean_allowed + 1e-12) << what;
  if (a.wrong > 0) {
    EXPECT_TRUE(close(a.bound, b.bound, 1e-6)) << what;
  }
}

TEST_F(GpuReference, ComparesAsTheCpuDoes) {
  std::vector<Task> tasks{scene::matmul(4, 512, 8), scene::softmax(3, 200)};
  tasks[0].determinism = Determinism::WithinBound;  // float atomics may flush subnormals
  for (const Task& task : tasks) {
    for (const Family family : {Family::AsDrawn, Family::Coherent, Family::Constant}) {
      for (const double units : {0.0, 0x1p-21, 3e-6, 2e-5}) {
        same_verdict(*device_, task, family, units);
      }
    }
  }
}

}  // namespace
}  // namespace kw::verify::gpu

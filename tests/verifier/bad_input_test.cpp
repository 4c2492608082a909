// Shapes at the edge of what tensors are: none, one, and more elements than 32 bits count.

#include <gtest/gtest.h>

#include "fill_spec.h"
#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "trial_plan.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

constexpr const char* kRelu =
    "extern \"C\" __global__ void k(const float* x, float* y) {\n"
    "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "  if (i < N) { float v = x[i]; y[i] = v > 0.f || v != v ? v : 0.f; }\n}\n";

class SmallestTensors : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler_.info()) GTEST_SKIP() << "no NVRTC here";
    auto opened = open_device("vm");
    ASSERT_TRUE(opened) << opened.error().message;
    device_ = std::move(*opened);
  }
  std::string judge(const Task& task, const std::string& source, std::int64_t grid = 1) {
    Judge judge(compiler_, *device_);
    const auto outcome = judge.judge(task, scene::candidate(task, source, grid), {.seed = 7}, {});
    if (!outcome) return outcome.error().message;
    const auto* bad = std::get_if<Rejected>(&*outcome);
    return bad == nullptr ? "passed" : std::string(to_string(bad->kind));
  }
  compile::CompileService compiler_{{.processes = 1}};
  std::unique_ptr<Device> device_;
};

TEST_F(SmallestTensors, OfNoElementsPassWithNothingDone) {
  EXPECT_EQ(judge(scene::relu(0, 8), std::string("#define N 0\n") + kRelu), "passed");
  EXPECT_EQ(judge(scene::relu(5, 0), std::string("#define N 0\n") + kRelu, 0), "passed");
}
TEST_F(SmallestTensors, OfNoElementsAreNoPlaceToWrite) {
  EXPECT_EQ(judge(scene::relu(0, 8), std::string("#define N 1\n") + kRelu), "out_of_bounds");
}
TEST_F(SmallestTensors, OfOneElementAreJudged) {
  EXPECT_EQ(judge(scene::relu(1, 1), std::string("#define N 1\n") + kRelu), "passed");
  EXPECT_NE(judge(scene::relu(1, 1), std::string("#define N 0\n") + kRelu), "passed");
  EXPECT_EQ(judge(scene::relu(1, 1), std::string("#define N 2\n") + kRelu), "out_of_bounds");
}
TEST_F(SmallestTensors, AndTheLargestAreNotVerifiableHereInsteadOfAllocated) {
  const Task task = scene::relu(std::int64_t{1} << 16, (std::int64_t{1} << 16) + 1);
  EXPECT_EQ(judge(task, std::string("#define N 1\n") + kRelu), "not_verifiable");
}

/// Element i of a buffer of `elements`, without the buffer.
std::uint64_t element(FillSpec spec, std::uint64_t i) {
  const auto f = flatten(spec);
  EXPECT_TRUE(f);
  kw_u64 bits[4];
  kw_group(&*f, i / 4, bits);
  return bits[i % 4];
}

TEST(LargeTensors, AreFilledWithOtherNumbersAbove32Bits) {
  FillSpec spec;
  spec.elements = std::int64_t{5} << 31;
  spec.row = 1 << 16;
  spec.rows = 5 << 15;
  spec.seed = 3;
  spec.steps = {{DrawStep::Op::Uniform, -1, 1}};
  for (const Family family : {Family::AsDrawn, Family::Normal, Family::Spiky, Family::RowScaled}) {
    spec.family = family;
    int equal = 0;
    for (std::uint64_t i = 0; i < 64; ++i) {
      const std::uint64_t here = element(spec, i);
      equal += here == element(spec, i + (std::uint64_t{1} << 31)) ? 1 : 0;
      equal += here == element(spec, i + (std::uint64_t{1} << 32)) ? 1 : 0;
    }
    EXPECT_EQ(equal, 0) << to_string(family);
  }
}
TEST(LargeTensors, KeepTheirTrianglesAbove32Bits) {
  FillSpec spec;
  spec.row = std::int64_t{1} << 17;
  spec.rows = std::int64_t{1} << 16;
  spec.elements = spec.row * spec.rows;  // 2^33
  spec.steps = {{DrawStep::Op::Uniform, 1, 2}, {DrawStep::Op::Tril, 0, 0}};
  const std::uint64_t last_row = static_cast<std::uint64_t>(spec.row * (spec.rows - 1));
  EXPECT_NE(element(spec, last_row + 65535), 0u);  // on the diagonal
  EXPECT_EQ(element(spec, last_row + 65536), 0u);  // right of it
}
TEST(LargeTensors, ReachAsFarInMemoryAsTheirStridesSay) {
  Value view{"x", DType::F32, {3, std::int64_t{1} << 31}, {std::int64_t{1} << 32, 1}, {}, Role::Input};
  EXPECT_EQ(storage_elements(view), (std::int64_t{2} << 32) + (std::int64_t{1} << 31));
  view.shape[0] = 0;
  EXPECT_EQ(storage_elements(view), 0);
}

}  // namespace
}  // namespace kw::verify

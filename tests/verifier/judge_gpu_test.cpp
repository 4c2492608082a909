// The judge on a real GPU: honest kernels pass at full size against the reference process, and one
// wrong element among half a billion is found.

#include <gtest/gtest.h>

#include <cstdlib>

#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "kw/verify/roofline.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

compile::CompileService& compiler() {
  static compile::CompileService service({.processes = 1, .deadline = std::chrono::seconds(60)});
  return service;
}

class JudgeOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_device("cuda");
    if (!opened && std::getenv("KW_REQUIRE_GPU") == nullptr) GTEST_SKIP() << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    device_ = std::move(*opened);
  }
  Outcome judge(const Task& task, const Candidate& candidate, bool timing = false) {
    Judge judge(compiler(), *device_);
    const auto outcome = judge.judge(task, candidate, {.seed = 3, .timing = timing}, {});
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
    return outcome ? *outcome : Outcome{};
  }
  std::unique_ptr<Device> device_;
};
std::string reason(const Outcome& outcome) {
  const auto* r = std::get_if<Rejected>(&outcome);
  return r == nullptr ? "passed" : r->reason;
}

std::string relu(std::int64_t n, const std::string& value) {
  return fmt::format(
      "extern \"C\" __global__ void k(const float* x, float* y) {{\n"
      "  for (long long i = blockIdx.x * 256ll + threadIdx.x; i < {}ll; i += 256ll * gridDim.x) "
      "{{\n"
      "    float v = x[i]; y[i] = {};\n  }}\n}}\n",
      n, value);
}
constexpr std::int64_t kRows = 4096, kColumns = 131072;  // 2 GiB in, 2 GiB out

TEST_F(JudgeOnGpu, PassesAnHonestPointwiseKernelAtFullSize) {
  const Outcome outcome =
      judge(scene::relu(kRows, kColumns),
            scene::candidate(scene::relu(kRows, kColumns),
                             relu(kRows * kColumns, "v > 0.f || v != v ? v : 0.f"), 2112, 256),
            true);
  ASSERT_TRUE(passed(outcome)) << reason(outcome);
  const auto& timing = std::get<Passed>(outcome).timing;
  ASSERT_TRUE(timing);
  EXPECT_GE(timing->median_us, timing->floor_us);
  EXPECT_GT(timing->floor_us, 0);
}
TEST_F(JudgeOnGpu, FindsOneWrongElementAtFullSize) {
  const Outcome outcome =
      judge(scene::relu(kRows, kColumns),
            scene::candidate(
                scene::relu(kRows, kColumns),
                relu(kRows * kColumns, "i == 123456789ll ? 2.f : v > 0.f || v != v ? v : 0.f"),
                2112, 256));
  const auto* r = std::get_if<Rejected>(&outcome);
  ASSERT_NE(r, nullptr);
  EXPECT_EQ(r->witness.at("index"), "[941, 118037]");
}
TEST_F(JudgeOnGpu, TellsFp32FromTf32InALargeProduct) {
  const auto source = [](const std::string& load) {
    return "__device__ float op(float v) { " + load +
           " }\n"
           "extern \"C\" __global__ void k(const float* a, const float* b, float* y) {\n"
           "  int c = blockIdx.x % 4 * 256 + threadIdx.x, r = blockIdx.x / 4;\n"
           "  float s = 0.f;\n"
           "  for (int q = 0; q < 1024; ++q) s = fmaf(op(a[r * 1024 + q]), op(b[q * 1024 + c]), "
           "s);\n"
           "  y[r * 1024 + c] = s;\n}\n";
  };
  const Task task = scene::matmul(1024, 1024, 1024);
  const Outcome honest = judge(task, scene::candidate(task, source("return v;"), 4096, 256));
  EXPECT_TRUE(passed(honest)) << reason(honest);
  const Outcome lower = judge(
      task, scene::candidate(task,
                             source("unsigned t; asm(\"cvt.rna.tf32.f32 %0, %1;\" : \"=r\"(t) : "
                                    "\"f\"(v)); return __uint_as_float(t);"),
                             4096, 256));
  EXPECT_FALSE(passed(lower));
}

}  // namespace
}  // namespace kw::verify

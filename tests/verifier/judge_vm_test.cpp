// The judge with a compiler and the virtual machine: hand-written CUDA kernels, right and wrong.

#include <gtest/gtest.h>

#include "kw/compile/service.h"
#include "kw/verify/judge.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

compile::CompileService& compiler() {
  static compile::CompileService service({.processes = 1});
  return service;
}

class JudgeOnVm : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler().info()) GTEST_SKIP() << "no NVRTC here";
    auto opened = open_device("vm");
    ASSERT_TRUE(opened) << opened.error().message;
    device_ = std::move(*opened);
  }
  Outcome judge(const Task& task, const Candidate& candidate) {
    Judge judge(compiler(), *device_);
    const auto outcome = judge.judge(task, candidate, {.seed = 11}, {});
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
    return outcome ? *outcome : Outcome{};
  }
  Outcome judge(const Task& task, const std::string& source, std::int64_t grid = 1,
                std::int64_t block = 128) {
    return judge(task, scene::candidate(task, source, grid, block));
  }
  std::unique_ptr<Device> device_;
};

std::string reason(const Outcome& outcome) {
  const auto* r = std::get_if<Rejected>(&outcome);
  return r == nullptr ? "passed" : r->reason;
}
void expect_rejected(const Outcome& outcome, RejectKind kind) {
  const auto* r = std::get_if<Rejected>(&outcome);
  ASSERT_NE(r, nullptr) << "passed";
  EXPECT_EQ(to_string(r->kind), to_string(kind)) << r->reason;
  EXPECT_FALSE(r->reason.empty());
}

std::string relu(const std::string& body) {
  return "extern \"C\" __global__ void k(const float* x, float* y) {\n"
         "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n" +
         body + "\n}\n";
}
constexpr const char* kRelu =
    "  if (i < 195) { float v = x[i]; y[i] = v > 0.f || v != v ? v : 0.f; }";

std::string matmul(const std::string& load) {
  return "__device__ float op(float v) { " + load +
         " }\n"
         "extern \"C\" __global__ void k(const float* a, const float* b, float* y) {\n"
         "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
         "  if (i >= 5 * 9) return;\n"
         "  float s = 0.f;\n"
         "  for (int q = 0; q < 70; ++q) s = fmaf(op(a[i / 9 * 70 + q]), op(b[q * 9 + i % 9]), "
         "s);\n"
         "  y[i] = s;\n}\n";
}

TEST_F(JudgeOnVm, PassesHonestKernels) {
  const Outcome pointwise = judge(scene::relu(3, 65), relu(kRelu), 2);
  EXPECT_TRUE(passed(pointwise)) << reason(pointwise);
  const Outcome product = judge(scene::matmul(5, 70, 9), matmul("return v;"));
  EXPECT_TRUE(passed(product)) << reason(product);
  EXPECT_EQ(std::get<Passed>(product).evidence.device.klass, "ptxvm");
  EXPECT_FALSE(std::get<Passed>(product).timing);
}
TEST_F(JudgeOnVm, PassesAnHonestSoftmaxWithABlockReduction) {
  const Outcome outcome =
      judge(scene::softmax(4, 300),
            "extern \"C\" __global__ void k(const float* x, float* y) {\n"
            "  __shared__ float part[128];\n"
            "  x += blockIdx.x * 300; y += blockIdx.x * 300;\n"
            "  float m = __int_as_float(0xff800000);\n"
            "  for (int i = threadIdx.x; i < 300; i += 128) { float v = x[i]; m = v != v || m != m "
            "? __int_as_float(0x7fc00000) : fmaxf(m, v); }\n"
            "  part[threadIdx.x] = m; __syncthreads();\n"
            "  for (int h = 64; h > 0; h /= 2) { if (threadIdx.x < h) { float a = "
            "part[threadIdx.x], b = part[threadIdx.x + h];\n"
            "    part[threadIdx.x] = a != a || b != b ? __int_as_float(0x7fc00000) : fmaxf(a, b); "
            "} __syncthreads(); }\n"
            "  m = part[0]; __syncthreads();\n"
            "  float s = 0.f;\n"
            "  for (int i = threadIdx.x; i < 300; i += 128) s += expf(x[i] - m);\n"
            "  part[threadIdx.x] = s; __syncthreads();\n"
            "  for (int h = 64; h > 0; h /= 2) { if (threadIdx.x < h) part[threadIdx.x] += "
            "part[threadIdx.x + h]; __syncthreads(); }\n"
            "  s = part[0];\n"
            "  for (int i = threadIdx.x; i < 300; i += 128) y[i] = expf(x[i] - m) / s;\n}\n",
            4);
  EXPECT_TRUE(passed(outcome)) << reason(outcome);
}
TEST_F(JudgeOnVm, RejectsSourceThatDoesNotCompile) {
  const Outcome outcome = judge(scene::relu(3, 65), relu("  y[i] = nothing;"), 2);
  expect_rejected(outcome, RejectKind::CompileError);
  EXPECT_NE(reason(outcome).find("line 3"), std::string::npos) << reason(outcome);
}
TEST_F(JudgeOnVm, RejectsTf32Operands) {
  expect_rejected(
      judge(scene::matmul(5, 70, 9), matmul("unsigned t; asm(\"cvt.rna.tf32.f32 %0, %1;\" : "
                                            "\"=r\"(t) : \"f\"(v)); return __uint_as_float(t);")),
      RejectKind::WrongResult);
}
TEST_F(JudgeOnVm, RejectsANoOpAndAMissingTail) {
  expect_rejected(judge(scene::relu(3, 65), relu(""), 2), RejectKind::WrongResult);
  expect_rejected(
      judge(scene::relu(3, 65),
            relu("  if (i < 194) { float v = x[i]; y[i] = v > 0.f || v != v ? v : 0.f; }"), 2),
      RejectKind::WrongResult);
}
TEST_F(JudgeOnVm, RejectsAHiddenNan) {
  expect_rejected(judge(scene::relu(3, 65), relu("  if (i < 195) y[i] = fmaxf(x[i], 0.f);"), 2),
                  RejectKind::WrongResult);
}
TEST_F(JudgeOnVm, RejectsOutOfBoundsWrites) {
  expect_rejected(
      judge(scene::relu(3, 65),
            relu("  float v = i < 195 ? x[i] : 0.f; y[i] = v > 0.f || v != v ? v : 0.f;"), 2),
      RejectKind::OutOfBounds);
}
TEST_F(JudgeOnVm, RejectsUninitialisedSharedMemory) {
  expect_rejected(judge(scene::relu(3, 65),
                        relu("  __shared__ float s[128]; if (threadIdx.x < 100) s[threadIdx.x] = "
                             "0.f; __syncthreads();\n"
                             "  if (i < 195) { float v = x[i]; y[i] = (v > 0.f || v != v ? v : "
                             "0.f) + s[threadIdx.x]; }"),
                        2),
                  RejectKind::Uninitialised);
}
TEST_F(JudgeOnVm, RejectsWritesToAnInput) {
  const Outcome outcome = judge(
      scene::relu(3, 65), relu(std::string(kRelu) + "\n  if (i == 0) ((float*)x)[1] = 0.25f;"), 2);
  ASSERT_FALSE(passed(outcome));
  const RejectKind kind = std::get<Rejected>(outcome).kind;
  EXPECT_TRUE(kind == RejectKind::InputModified || kind == RejectKind::OutOfBounds)
      << reason(outcome);
}
TEST_F(JudgeOnVm, RejectsClocksTrapsAndExtraEntries) {
  expect_rejected(judge(scene::relu(3, 65),
                        relu(std::string(kRelu) + "\n  if (clock64() == 1) y[0] = 1.f;"), 2),
                  RejectKind::RejectedByPolicy);
  expect_rejected(
      judge(scene::relu(3, 65), relu(std::string(kRelu) + "\n  if (i > 10000) __trap();"), 2),
      RejectKind::RejectedByPolicy);
  expect_rejected(
      judge(scene::relu(3, 65), relu(kRelu) + "extern \"C\" __global__ void other() {}\n", 2),
      RejectKind::RejectedByPolicy);
  expect_rejected(
      judge(scene::relu(3, 65), relu(std::string(kRelu) + "\n  if (i == 0) printf(\"x\");"), 2),
      RejectKind::RejectedByPolicy);
}
TEST_F(JudgeOnVm, RejectsPlansOutsideTheirBuffers) {
  const Task task = scene::relu(3, 65);
  Candidate candidate = scene::candidate(task, relu(kRelu), 2);
  std::get<KernelNode>(candidate.plan.run[0].what).args[1] = BufferArg{"y", 4096};
  const Outcome outcome = judge(task, candidate);
  ASSERT_FALSE(passed(outcome));
}
TEST_F(JudgeOnVm, RejectsKernelsThatNeverEnd) {
  Judge judge(compiler(), *device_);
  const Task task = scene::relu(3, 65);
  JudgeOptions options;
  options.deadline = std::chrono::milliseconds(1500);
  const auto outcome = judge.judge(
      task, scene::candidate(task, relu("  volatile float* p = y; while (p[0] != 3.f) { }"), 1),
      options, {});
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_FALSE(passed(*outcome));
}

}  // namespace
}  // namespace kw::verify

// The judge on behaviours, right and wrong: what a kernel does is a C++ function here, so that
// every rejection is for the behaviour and nothing else.

#include "kw/verify/judge.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "fakes/fake_device.h"
#include "verifier/scene.h"

namespace kw::verify {
namespace {

using fakes::FakeBuffers;
using fakes::FakeCompiler;
using fakes::FakeDevice;
using fakes::FakeKernel;

constexpr const char* kPtx =
    ".version 9.0\n.target sm_80\n.address_size 64\n"
    ".visible .entry k(.param .u64 p0, .param .u64 p1)\n{\n\tret;\n}\n";

Outcome judge(const Task& task, FakeKernel kernel, std::uint64_t seed = 5) {
  FakeCompiler compiler(kPtx);
  FakeDevice device(std::move(kernel));
  Judge judge(compiler, device);
  JudgeOptions options;
  options.seed = seed;
  const auto outcome = judge.judge(task, scene::candidate(task, "k"), options, {});
  EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
  return outcome ? *outcome : Outcome{};
}
const Rejected* rejected(const Outcome& outcome) { return std::get_if<Rejected>(&outcome); }
std::string reason(const Outcome& outcome) {
  const Rejected* r = rejected(outcome);
  return r == nullptr ? "passed" : r->reason;
}

float keep_nan_relu(float v) { return v > 0 || std::isnan(v) ? v : 0; }
void honest_relu(FakeBuffers& b) {
  auto x = b.of<float>("x");
  auto y = b.of<float>("y");
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = keep_nan_relu(x[i]);
}
FakeKernel matmul_with(std::size_t m, std::size_t k, std::size_t n,
                       std::function<float(float)> operand) {
  return [=](FakeBuffers& bufs) {
    auto a = bufs.of<float>("a");
    auto b = bufs.of<float>("b");
    auto y = bufs.of<float>("y");
    for (std::size_t r = 0; r < m; ++r) {
      for (std::size_t c = 0; c < n; ++c) {
        float sum = 0;
        for (std::size_t i = 0; i < k; ++i)
          sum = std::fmaf(operand(a[r * k + i]), operand(b[i * n + c]), sum);
        y[r * n + c] = sum;
      }
    }
  };
}
float tf32(float x) {
  if (!std::isfinite(x)) return x;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) + 0x1000u) & ~0x1FFFu);
}

TEST(Judge, PassesHonestKernelsWithEvidence) {
  const Outcome outcome = judge(scene::relu(3, 65), honest_relu);
  ASSERT_TRUE(passed(outcome)) << reason(outcome);
  const Evidence& evidence = std::get<Passed>(outcome).evidence;
  EXPECT_GT(evidence.checks.size(), 20u);
  for (const CheckRecord& check : evidence.checks) EXPECT_TRUE(check.passed) << check.check;
  EXPECT_TRUE(
      passed(judge(scene::matmul(5, 67, 9), matmul_with(5, 67, 9, [](float v) { return v; }))));
}
TEST(Judge, PassesAnHonestSoftmax) {
  const auto kernel = [](FakeBuffers& b) {
    auto x = b.of<float>("x");
    auto y = b.of<float>("y");
    for (std::size_t r = 0; r < 4; ++r) {
      float m = -INFINITY, sum = 0;
      for (std::size_t i = 0; i < 100; ++i) {
        const float v = x[r * 100 + i];
        m = std::isnan(v) || std::isnan(m) ? NAN : std::max(m, v);
      }
      for (std::size_t i = 0; i < 100; ++i) sum += std::exp(x[r * 100 + i] - m);
      for (std::size_t i = 0; i < 100; ++i) y[r * 100 + i] = std::exp(x[r * 100 + i] - m) / sum;
    }
  };
  const Outcome outcome = judge(scene::softmax(4, 100), kernel);
  EXPECT_TRUE(passed(outcome)) << reason(outcome);
}
TEST(Judge, RejectsASoftmaxThatDoesNotSubtractTheMaximum) {
  const auto kernel = [](FakeBuffers& b) {
    auto x = b.of<float>("x");
    auto y = b.of<float>("y");
    for (std::size_t r = 0; r < 4; ++r) {
      float sum = 0;
      for (std::size_t i = 0; i < 100; ++i) sum += std::exp(x[r * 100 + i]);
      for (std::size_t i = 0; i < 100; ++i) y[r * 100 + i] = std::exp(x[r * 100 + i]) / sum;
    }
  };
  EXPECT_FALSE(passed(judge(scene::softmax(4, 100), kernel)));
}
TEST(Judge, RejectsANoOp) {
  const Outcome outcome = judge(scene::relu(3, 65), [](FakeBuffers&) {});
  ASSERT_NE(rejected(outcome), nullptr);
  EXPECT_EQ(rejected(outcome)->kind, RejectKind::WrongResult);
}
TEST(Judge, RejectsAStaleOutput) {  // right the first time, then whatever was computed then
  auto kept = std::make_shared<std::vector<std::byte>>();
  EXPECT_FALSE(passed(judge(scene::relu(3, 65), [kept](FakeBuffers& b) {
    if (kept->empty()) {
      honest_relu(b);
      *kept = b.bytes["y"];
    }
    b.bytes["y"] = *kept;
  })));
}
TEST(Judge, RejectsALostTailElement) {
  const Outcome outcome = judge(scene::relu(3, 65), [](FakeBuffers& b) {
    const auto last = b.of<float>("y").back();
    honest_relu(b);
    b.of<float>("y").back() = last;
  });
  ASSERT_NE(rejected(outcome), nullptr);
  EXPECT_EQ(rejected(outcome)->witness.at("index"), "[2, 64]");
}
TEST(Judge, RejectsAnOffByOneRead) {
  EXPECT_FALSE(passed(judge(scene::relu(3, 65), [](FakeBuffers& b) {
    auto x = b.of<float>("x");
    auto y = b.of<float>("y");
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = keep_nan_relu(x[i + 1 < x.size() ? i + 1 : i]);
  })));
}
TEST(Judge, RejectsAReluThatHidesNan) {
  const Outcome outcome = judge(scene::relu(3, 65), [](FakeBuffers& b) {
    auto x = b.of<float>("x");
    auto y = b.of<float>("y");
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = std::fmax(x[i], 0.0f);
  });
  ASSERT_NE(rejected(outcome), nullptr);
  EXPECT_EQ(rejected(outcome)->witness.at("family"), "non_finite");
}
TEST(Judge, RejectsAKernelThatOnlyEverWritesNan) {
  EXPECT_FALSE(passed(judge(scene::relu(3, 65), [](FakeBuffers& b) {
    for (float& v : b.of<float>("y")) v = NAN;
  })));
}
TEST(Judge, RejectsFlushedDenormals) {
  const Outcome outcome = judge(scene::relu(3, 65), [](FakeBuffers& b) {
    honest_relu(b);
    for (float& v : b.of<float>("y")) {
      if (std::fabs(v) < 0x1p-126f) v = 0;
    }
  });
  ASSERT_NE(rejected(outcome), nullptr);
  EXPECT_EQ(rejected(outcome)->witness.at("family"), "denormal");
}
TEST(Judge, RejectsAKernelThatWritesItsInput) {
  const Outcome outcome = judge(scene::relu(3, 65), [](FakeBuffers& b) {
    honest_relu(b);
    b.of<float>("x")[0] = 0.5f;
  });
  ASSERT_NE(rejected(outcome), nullptr);
  EXPECT_EQ(rejected(outcome)->kind, RejectKind::InputModified);
}
TEST(Judge, RejectsTf32OperandsAtEveryLength) {
  for (const std::size_t k : {1, 16, 64, 1000, 4096}) {
    const auto n = static_cast<std::int64_t>(k);
    const Outcome outcome = judge(scene::matmul(3, n, 4), matmul_with(3, k, 4, tf32));
    ASSERT_NE(rejected(outcome), nullptr) << k;
    EXPECT_TRUE(
        passed(judge(scene::matmul(3, n, 4), matmul_with(3, k, 4, [](float v) { return v; }))))
        << k;
  }
}
TEST(Judge, AcceptsTf32OperandsWhereTheTaskAllowsThem) {
  Task task = scene::matmul(3, 256, 4);
  task.policy = preset(PolicyClass::Tf32);
  const Outcome outcome = judge(task, matmul_with(3, 256, 4, tf32));
  EXPECT_TRUE(passed(outcome)) << reason(outcome);
}
TEST(Judge, RejectsAConstantInPlaceOfAReduction) {
  Task task = scene::relu(4, 4096);
  task.graph.values[1].shape = {4};
  task.graph.nodes = {{"aten.mean.dim", {0}, {{"dim", std::vector<std::int64_t>{1}}}, {1}}};
  EXPECT_FALSE(passed(judge(task, [](FakeBuffers& b) {
    for (float& v : b.of<float>("y")) v = 0;
  })));
}
TEST(Judge, RejectsNondeterminismOnlyWhereBitsMustBeEqual) {
  const auto noisy = [](FakeBuffers& b) {
    matmul_with(3, 64, 4, [](float v) { return v; })(b);
    auto y = b.of<float>("y");
    if (b.call % 2 == 1 && std::isfinite(y[0])) y[0] = std::nextafter(y[0], INFINITY);
  };
  Task task = scene::matmul(3, 64, 4);
  EXPECT_TRUE(passed(judge(task, noisy))) << reason(judge(task, noisy));
  task.determinism = Determinism::Bitwise;
  const Outcome outcome = judge(task, noisy);
  ASSERT_NE(rejected(outcome), nullptr);
  EXPECT_EQ(rejected(outcome)->kind, RejectKind::Nondeterministic);
}
TEST(Judge, AWitnessReplays) {
  const auto wrong = [](FakeBuffers& b) {
    honest_relu(b);
    b.of<float>("y")[7] = 3;
  };
  const Outcome first = judge(scene::relu(3, 65), wrong, 77);
  const Outcome second = judge(scene::relu(3, 65), wrong, 77);
  ASSERT_NE(rejected(first), nullptr);
  EXPECT_EQ(rejected(first)->witness, rejected(second)->witness);
  EXPECT_EQ(rejected(first)->witness.at("index"), "[0, 7]");
  EXPECT_EQ(rejected(first)->witness.at("judge_seed"), "77");
}
TEST(Judge, RefusesPlansThatRebindTheTask) {
  const Task task = scene::relu(3, 65);
  FakeCompiler compiler(kPtx);
  FakeDevice device(honest_relu);
  Judge judge(compiler, device);
  Candidate candidate = scene::candidate(task, "k");
  candidate.plan.buffers[1].alias_of = "x";
  auto outcome = judge.judge(task, candidate, {}, {});
  ASSERT_TRUE(outcome);
  ASSERT_NE(rejected(*outcome), nullptr);
  EXPECT_EQ(rejected(*outcome)->kind, RejectKind::RejectedByPolicy);
  candidate = scene::candidate(task, "k");
  candidate.plan.buffers[0].role = Role::Weight;
  outcome = judge.judge(task, candidate, {}, {});
  ASSERT_NE(rejected(*outcome), nullptr);
  EXPECT_EQ(rejected(*outcome)->kind, RejectKind::RejectedByPolicy);
}

}  // namespace
}  // namespace kw::verify

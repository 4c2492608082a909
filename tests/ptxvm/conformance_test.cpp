// The virtual machine against answers recorded on an H100 (data/h100.txt), bit for bit, and the
// .approx functions against the error that the PTX ISA states.

#include "ptxvm/conformance.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

const std::map<std::string, std::uint64_t>& recorded() {
  static const std::map<std::string, std::uint64_t> answers = [] {
    std::map<std::string, std::uint64_t> out;
    std::ifstream in(KW_SOURCE_DIR "/tests/ptxvm/data/h100.txt");
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') continue;
      const std::size_t tab = line.find('\t');
      out[line.substr(0, tab)] = std::stoull(line.substr(tab + 1), nullptr, 16);
    }
    return out;
  }();
  return answers;
}

// One test per first letter group keeps each below a second.
std::string family_of(const conformance::Case& c) {
  return c.name.substr(0, c.name.find_first_of(". "));
}

class PtxVmConformance : public testing::TestWithParam<std::string> {};

TEST_P(PtxVmConformance, MatchesAnH100BitForBit) {
  std::size_t compared = 0;
  for (const conformance::Case& c : conformance::cases()) {
    if (c.approximate || family_of(c) != GetParam()) continue;
    const auto answer = recorded().find(c.name);
    ASSERT_NE(answer, recorded().end()) << c.name << " is not recorded";
    for (const HostIsa isa : {HostIsa::Best, HostIsa::Baseline}) {
      Options options;
      options.isa = isa;
      std::string refusal;
      const auto results = conformance::run_on_vm(c, &refusal, options);
      ASSERT_FALSE(results.empty()) << refusal;
      EXPECT_EQ(conformance::digest(c, results), answer->second)
          << c.name << (isa == HostIsa::Baseline ? " without AVX" : "");
    }
    ++compared;
  }
  EXPECT_GT(compared, 0u);
}

std::vector<std::string> families() {
  std::vector<std::string> out;
  for (const conformance::Case& c : conformance::cases()) {
    const std::string family = family_of(c);
    if (!c.approximate && std::find(out.begin(), out.end(), family) == out.end())
      out.push_back(family);
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Families, PtxVmConformance, testing::ValuesIn(families()),
                         [](const auto& family) { return family.param; });

// Relative error against f64, where the result is a normal number and the argument in the stated
// range.
struct Approximation {
  std::string instruction;
  double (*exact)(double);
  double bound;
  double low, high;
  bool absolute = false;
};

TEST(PtxVmApproximations, StayWithinTheErrorOfTheIsa) {
  const std::vector<Approximation> all{
      {"ex2.approx.f32", [](double x) { return std::exp2(x); }, 0x1p-22, -120, 120},
      {"lg2.approx.f32", [](double x) { return std::log2(x); }, 0x1p-22, 2, 1e30},
      {"lg2.approx.f32", [](double x) { return std::log2(x); }, 0x1p-22, 0.5, 2, true},
      {"rcp.approx.f32", [](double x) { return 1 / x; }, 0x1p-23, 0.01, 1e6},
      {"sqrt.approx.f32", [](double x) { return std::sqrt(x); }, 0x1p-23, 1e-6, 1e6},
      {"rsqrt.approx.f32", [](double x) { return 1 / std::sqrt(x); }, 1.1 * 0x1p-23, 1e-6, 1e6},
      {"sin.approx.f32", [](double x) { return std::sin(x); }, 0x1p-20, -3.14159, 3.14159, true},
      {"cos.approx.f32", [](double x) { return std::cos(x); }, 0x1p-20, -3.14159, 3.14159, true},
      {"tanh.approx.f32", [](double x) { return std::tanh(x); }, 0x1p-11, -8, 8}};
  for (const Approximation& a : all) {
    Snippet snippet("ld.global.f32 %f1, [%rd1];\n" + a.instruction +
                    " %f2, %f1;\nst.global.f32 [%rd2], %f2;");
    const std::vector<float> x =
        random_floats(4096, 5, static_cast<float>(a.low), static_cast<float>(a.high));
    const std::vector<float> y = snippet.map<float>(x);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = a.exact(static_cast<double>(x[i])),
                   error = std::fabs(static_cast<double>(y[i]) - want);
      worst = std::max(worst, a.absolute ? error : error / std::fabs(want));
    }
    EXPECT_LE(worst, a.bound) << a.instruction;
  }
}

TEST(PtxVmApproximations, KeepTheSpecialValuesOfTheIsa) {
  const auto one = [](const std::string& instruction, float x) {
    Snippet snippet("ld.global.f32 %f1, [%rd1];\n" + instruction +
                    " %f2, %f1;\nst.global.f32 [%rd2], %f2;");
    return snippet.map<float>(std::vector<float>{x})[0];
  };
  const float inf = HUGE_VALF;
  EXPECT_EQ(one("ex2.approx.f32", -inf), 0.0f);
  EXPECT_EQ(one("ex2.approx.f32", inf), inf);
  EXPECT_EQ(one("ex2.approx.ftz.f32", -130.0f), 0.0f);
  EXPECT_EQ(one("ex2.approx.f32", -130.0f), 0x1p-130f);
  EXPECT_EQ(one("lg2.approx.f32", 0.0f), -inf);
  EXPECT_EQ(one("lg2.approx.f32", 0x1p-130f), -130.0f);
  EXPECT_EQ(one("lg2.approx.ftz.f32", 0x1p-130f), -inf);
  EXPECT_TRUE(std::isnan(one("lg2.approx.f32", -1.0f)));
  EXPECT_EQ(one("rcp.approx.f32", -0.0f), -inf);
  EXPECT_EQ(one("rsqrt.approx.f32", inf), 0.0f);
  EXPECT_TRUE(std::isnan(one("sin.approx.f32", inf)));
  EXPECT_EQ(one("cos.approx.f32", 0.0f), 1.0f);
  EXPECT_EQ(one("tanh.approx.f32", inf), 1.0f);
}

// A long chain of unpromoted steps on coherent data shows the bias that truncation gives on
// silicon: half a unit in the last place of the accumulator per step (and more for what alignment
// cuts off).
TEST(PtxVmMatrix, LongChainsAreBiasedTowardsZeroUnlessExactAccumulationIsAsked) {
  std::string body =
      "mov.f32 %f1, 0f00000000;\nmov.f32 %f2, %f1;\nmov.f32 %f3, %f1;\nmov.f32 %f4, %f1;\nmov.u32 "
      "%r9, 0;\nL:\n";
  for (int i = 0; i < 8; ++i)
    body += "mov.b32 %r" + std::to_string(10 + i) + ", 0x35553555;\n";  // 1/3 in f16
  body +=
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1,%f2,%f3,%f4}, {%r10,%r11,%r12,%r13}, "
      "{%r14,%r15}, "
      "{%f1,%f2,%f3,%f4};\nadd.u32 %r9, %r9, 1;\nsetp.lt.u32 %p1, %r9, 512;\n@%p1 bra "
      "L;\nst.global.f32 [%rd2], %f1;";
  const double third = 1365.0 / 4096, exact = 8192 * third * third;
  Snippet snippet(body);
  Options rounded;
  rounded.exact_tensor_accumulation = true;
  const std::vector<float> lanes(32);
  const double truncating = static_cast<double>(snippet.map<float>(lanes)[0]);
  const double rounding = static_cast<double>(snippet.map<float>(lanes, rounded)[0]);
  EXPECT_LT(truncating, exact * (1 - 1e-5));
  EXPECT_GT(truncating, exact * (1 - 1e-4));
  EXPECT_NEAR(rounding, exact, exact * 1e-5);
}

}  // namespace
}  // namespace kw::ptxvm

// .approx results drawn from what the ISA allows: within it, one per seed and operand, many over
// seeds.

#include <cmath>

#include "ptxvm/conformance.h"
#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

using conformance::Case;

std::vector<std::byte> results(const Case& c, std::uint64_t seed, HostIsa isa = HostIsa::Best) {
  Options options;
  options.perturb_approximations = seed;
  options.isa = isa;
  std::string refusal;
  auto out = conformance::run_on_vm(c, &refusal, options);
  EXPECT_EQ(refusal, "") << c.name;
  return out;
}

bool has_stated_error(const Case& c) { return c.approximate && c.inputs != "f64"; }

TEST(PtxVmPerturbed, ResultsStayWithinTheErrorOfTheIsa) {
  std::size_t cases = 0;
  double widest = 0;
  for (const Case& c : conformance::cases()) {
    if (!has_stated_error(c)) continue;
    for (const std::uint64_t seed : {1u, 2u}) {
      const conformance::Deviation d = conformance::deviation(c, results(c, seed));
      EXPECT_GT(d.checked, 0u) << c.name;
      EXPECT_LE(d.worst, 1) << c.name << " lane " << d.lane;
      EXPECT_GE(d.worst, 0.4) << c.name << ": hardly perturbed";
      widest = std::max(widest, d.worst);
    }
    ++cases;
  }
  EXPECT_GE(cases, 20u);
  EXPECT_GE(widest, 0.95);
}

TEST(PtxVmPerturbed, AResultDependsOnSeedAndOperandAlone) {
  for (const Case& c : conformance::cases()) {
    if (!has_stated_error(c)) continue;
    const auto first = results(c, 1);
    EXPECT_EQ(first, results(c, 1, HostIsa::Baseline)) << c.name;
    EXPECT_NE(first, results(c, 2)) << c.name;
    EXPECT_NE(first, results(c, 0)) << c.name;
  }
}

TEST(PtxVmPerturbed, SpecialOperandsKeepTheirResults) {
  const auto one = [](const std::string& instruction, float x) {
    Snippet snippet("ld.global.f32 %f1, [%rd1];\n" + instruction +
                    " %f2, %f1;\nst.global.f32 [%rd2], %f2;");
    Options options;
    options.perturb_approximations = 3;
    return snippet.map<float>(std::vector<float>{x}, options)[0];
  };
  const float inf = HUGE_VALF;
  EXPECT_EQ(one("ex2.approx.f32", 0.0f), 1.0f);
  EXPECT_EQ(one("ex2.approx.f32", -inf), 0.0f);
  EXPECT_EQ(one("ex2.approx.ftz.f32", -130.0f), 0.0f);
  EXPECT_EQ(one("lg2.approx.f32", 0.0f), -inf);
  EXPECT_EQ(one("lg2.approx.ftz.f32", 0x1p-130f), -inf);
  EXPECT_TRUE(std::isnan(one("lg2.approx.f32", -1.0f)));
  EXPECT_EQ(one("rcp.approx.f32", -0.0f), -inf);
  EXPECT_EQ(one("rsqrt.approx.f32", inf), 0.0f);
  EXPECT_TRUE(std::isnan(one("sin.approx.f32", inf)));
  EXPECT_EQ(one("cos.approx.f32", 0.0f), 1.0f);
  EXPECT_EQ(one("tanh.approx.f32", inf), 1.0f);
}

TEST(PtxVmPerturbed, ExactInstructionsAreLeftAlone) {
  Snippet snippet("ld.global.f32 %f1, [%rd1];\nrcp.rn.f32 %f2, %f1;\nst.global.f32 [%rd2], %f2;");
  const auto x = random_floats(64, 1);
  Options options;
  options.perturb_approximations = 3;
  EXPECT_EQ(snippet.map<float>(x), snippet.map<float>(x, options));
}

}  // namespace
}  // namespace kw::ptxvm

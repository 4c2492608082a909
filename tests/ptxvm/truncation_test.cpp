// The bias that truncating accumulation gives a long chain of tensor-core steps. Single steps equal
// an H100's bit for bit (conformance_test); here they add up. truncation_gpu_test has the same
// chains on a device.

#include "ptxvm/long_chain.h"

namespace kw::ptxvm {
namespace {

// Each step cuts half a unit in the last place of an accumulator that grows evenly: ln 2 / 2 times
// 2^-23 per step of the final sum, and what alignment cuts off comes to that.
TEST(PtxVmTruncation, ALongChainLosesHalfAUnitPerStep) {
  const double least = -std::log(2.0) / 2 * 1024 * 0x1p-23;
  const double bias = Chain{}.bias_on_vm();
  EXPECT_LT(bias, least);
  EXPECT_GT(bias, 1.3 * least);
}

TEST(PtxVmTruncation, PromotionTakesTheBiasAway) {
  const Chain promoted{ChainOperands::Tf32, 8192, 32};  // every 256 of K
  EXPECT_LT(std::fabs(promoted.bias_on_vm()), 1.5e-6);
}

TEST(PtxVmTruncation, ExactAccumulationHasNone) {
  EXPECT_LT(std::fabs(Chain{}.bias_on_vm(true)), 1e-6);
  EXPECT_LT(std::fabs(Chain{ChainOperands::F16}.bias_on_vm(true)), 1e-6);
}

}  // namespace
}  // namespace kw::ptxvm

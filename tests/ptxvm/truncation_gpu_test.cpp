// Long chains of tensor-core steps on a device and in the virtual machine: every sum bit for bit,
// and so the bias.

#include <cstdio>
#include <cstdlib>

#include "ptxvm/long_chain.h"

namespace kw::ptxvm {
namespace {

std::vector<float> run_on_device(Driver& driver, const Chain& chain,
                                 const std::vector<std::uint32_t>& in) {
  std::vector<float> out(128);
  Driver::Address from = 0, to = 0;
  void* module = nullptr;
  void* function = nullptr;
  EXPECT_EQ(driver.allocate(&from, in.size() * 4), 0);
  EXPECT_EQ(driver.allocate(&to, out.size() * 4), 0);
  EXPECT_EQ(driver.upload(from, in.data(), in.size() * 4), 0);
  EXPECT_EQ(driver.load(&module, chain.ptx().c_str()), 0);
  EXPECT_EQ(driver.function(&function, module, "k"), 0);
  void* arguments[] = {&from, &to};
  EXPECT_EQ(driver.launch(function, 1, 32, arguments), 0);
  EXPECT_EQ(driver.synchronize(), 0);
  EXPECT_EQ(driver.download(out.data(), to, out.size() * 4), 0);
  driver.unload(module);
  return out;
}

TEST(PtxVmGpu, LongChainsHaveTheBiasOfTheDevice) {
  Driver driver;
  if (!driver.open()) {
    if (std::getenv("KW_REQUIRE_GPU") != nullptr) FAIL() << "no usable CUDA driver or device";
    GTEST_SKIP() << "no usable CUDA driver or device";
  }
  for (const ChainOperands operands : {ChainOperands::Tf32, ChainOperands::F16}) {
    for (const unsigned k : {1024u, 8192u, 65536u}) {
      for (const unsigned promote : {0u, 16u}) {
        const Chain chain{operands, k, promote};
        const char* name = operands == ChainOperands::Tf32 ? "tf32" : "f16";
        double device = 0, vm = 0;
        for (unsigned repeat = 0; repeat < Chain::kRepeats; ++repeat) {
          const auto in = chain.draw(repeat);
          const auto theirs = run_on_device(driver, chain, in);
          const auto ours = chain.run_on_vm(in);
          EXPECT_EQ(theirs, ours) << name << " K " << k << " promote " << promote;
          device += chain.bias(in, theirs) / Chain::kRepeats;
          vm += chain.bias(in, ours) / Chain::kRepeats;
        }
        std::printf(
            "%-5s K %6u promoted every %4u of K: mean bias device %+.3e, virtual machine %+.3e\n",
            name, k, promote * chain.step_k(), device, vm);
        if (promote == 0) {
          EXPECT_LE(std::fabs(vm - device), 0.1 * std::fabs(device));
        }
      }
    }
  }
}

}  // namespace
}  // namespace kw::ptxvm

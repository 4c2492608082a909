// The kernels that judge on a GPU, judged in the virtual machine.

#include "helper_kernels.h"

#include <gtest/gtest.h>

#include "scene.h"

namespace {

using namespace kw;
using namespace kw::verify;
using namespace kw::verify::testing_scene;

class HelperKernels : public testing::Test {
 protected:
  void SetUp() override {
    if (!compiler().info()) GTEST_SKIP() << "no NVRTC here";
    module_ = compiled(helper_source());
  }

  /// The 8 bytes that `kernel` leaves at `result`, which starts as zero.
  std::uint64_t run(std::vector<float> data, const std::string& kernel, std::vector<PlanArg> args) {
    RunRequest request;
    request.module = module_;
    request.plan.buffers = {buffer("data", Role::Input, static_cast<std::int64_t>(4 * data.size())),
                            buffer("result", Role::Output, 8)};
    request.plan.run = {{"", {}, MemsetNode{"result", 0, 8, 0}},
                        launch(kernel, std::move(args), 3, 256)};
    Trial trial;
    trial.fills = {given("data", data)};
    request.trials = {trial};
    const RunReply reply = open_device("vm").value()->run(request, {}).value();
    EXPECT_FALSE(reply.fault) << reply.fault->reason;
    std::uint64_t out = 0;
    if (!reply.fault) std::memcpy(&out, reply.trials[0].outputs[0].bytes->view().data(), 8);
    return out;
  }
  std::uint64_t hash(const std::vector<float>& data, std::int64_t bytes) {
    return run(data, kHashKernel,
               {BufferArg{"data", 0}, ScalarArg{"u64", Expr(bytes / 16)},
                BufferArg{"data", Expr(bytes / 16 * 16)}, ScalarArg{"u32", Expr(bytes % 16)},
                BufferArg{"result", 0}});
  }
  std::uint64_t guard(const std::vector<float>& data, std::int64_t words) {
    return run(data, kGuardKernel,
               {BufferArg{"data", 0}, ScalarArg{"u64", Expr(words)}, ScalarArg{"u32", Expr(0)},
                BufferArg{"result", 0}});
  }

  CompiledModule module_;
};

std::vector<float> ramp(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(i);
  return out;
}

TEST_F(HelperKernels, HashSeesEveryElementTheTailAndTheOrder) {
  const std::vector<float> data = ramp(5003);
  const std::uint64_t plain = hash(data, 20012);
  EXPECT_EQ(hash(data, 20012), plain);
  for (const std::size_t changed : {0u, 1u, 2u, 3u, 2500u, 5000u, 5002u}) {
    std::vector<float> other = data;
    other[changed] += 0.5f;
    EXPECT_NE(hash(other, 20012), plain) << changed;
  }
  std::vector<float> swapped = data;
  std::swap(swapped[8], swapped[4000]);
  EXPECT_NE(hash(swapped, 20012), plain);
  EXPECT_NE(hash(data, 20011), plain);
}

TEST_F(HelperKernels, GuardSeesOneChangedWord) {
  std::vector<float> data(3000, 0.0f);
  EXPECT_EQ(guard(data, 3000), 0u);
  data[2999] = 1;
  EXPECT_EQ(guard(data, 3000), 1u);
  EXPECT_EQ(guard(data, 2999), 0u);
}

TEST_F(HelperKernels, ReadTouchesMemoryAndLeavesItAlone) {
  EXPECT_EQ(run(ramp(4096), kReadKernel,
                {BufferArg{"data", 0}, ScalarArg{"u64", Expr(1024)}, BufferArg{"result", 0}}),
            0u);
}

}  // namespace

// Every KernelBench problem at its small size, through the reference's GPU kernels in the virtual machine.
// KW_ONLY=2/14 names one, KW_STRIDE=10 takes every tenth.

#include <cstdlib>

#include "kw/bench/tasks.h"
#include "verifier/gpu_reference.h"

namespace kw::verify::gpu {
namespace {

TEST_F(GpuReference, EveryKernelBenchTaskAgrees) {
  const char* only = std::getenv("KW_ONLY");
  const char* stride = std::getenv("KW_STRIDE");
  const std::size_t step = stride ? std::strtoul(stride, nullptr, 10) : 1;
  std::size_t number = 0;
  for (const std::string& name : bench::builtin_task_names()) {
    if (!name.ends_with("@small")) continue;
    if (only != nullptr && name != fmt::format("kernelbench:{}@small", only)) continue;
    if (number++ % std::max<std::size_t>(step, 1) != 0) continue;
    auto task = bench::find_task(name);
    ASSERT_TRUE(task) << task.error().message;
    agree(*device_, *task, name, {Family::AsDrawn});
  }
}

}  // namespace
}  // namespace kw::verify::gpu

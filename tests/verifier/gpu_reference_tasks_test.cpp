// Every KernelBench problem at its small size, through the reference's GPU kernels in the virtual
// machine. KW_ONLY=2/14 names one, KW_STRIDE=10 takes every tenth.

#include <cstdlib>

#include "kw/bench/tasks.h"
#include "slices.h"
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
    const Parts parts = split(task->graph);  // as at full size: a last full reduction is the CPU's
    if (parts.reduction) task->graph = parts.head;
    // Extrema keep the error of one of several near candidates: which one hangs on the order, so
    // bounds agree within a factor of two only (gpu_reference_test.cpp compares operators exactly).
    agree(*device_, *task, name, {Family::AsDrawn}, 0.5);
  }
}

}  // namespace
}  // namespace kw::verify::gpu

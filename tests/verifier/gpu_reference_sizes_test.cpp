// The host's side of the reference at the original sizes of every KernelBench problem: slices,
// omitted outputs, copies and launches, against a device that computes nothing.

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>

#include "accelerator.h"
#include "kw/bench/tasks.h"
#include "oracle.h"
#include "trial.h"
#include "trial_plan.h"

namespace kw::verify::gpu {
namespace {

constexpr std::size_t kCapacity = std::size_t{80} << 30;

/// Hands out addresses, launches nothing, reads back zeros.
class IdleAccelerator final : public Accelerator {
 public:
  Result<std::uint64_t> allocate(std::size_t bytes) override {
    const std::uint64_t address = next_;
    next_ += (bytes + 255) / 256 * 256;
    sizes_[address] = bytes;
    in_use_ += bytes;
    most_ = std::max(most_, in_use_);
    return address;
  }
  void release(std::uint64_t address) override {
    const auto found = sizes_.find(address);
    ASSERT_NE(found, sizes_.end());
    in_use_ -= found->second;
    sizes_.erase(found);
  }
  Status to_device(std::uint64_t, std::span<const std::byte>) override { return {}; }
  Status to_host(std::span<std::byte> to, std::uint64_t) override {
    std::ranges::fill(to, std::byte{0});
    return {};
  }
  Status launch(const char*, std::uint32_t grid, std::uint32_t block, std::span<const std::byte>,
                const std::uint64_t*) override {
    EXPECT_GT(grid, 0u);
    EXPECT_LE(block, 1024u);
    return {};
  }
  std::size_t capacity() const override { return kCapacity; }

  std::size_t in_use() const { return in_use_; }
  std::size_t most() const { return most_; }

 private:
  std::uint64_t next_ = 256;
  std::map<std::uint64_t, std::size_t> sizes_;
  std::size_t in_use_ = 0, most_ = 0;
};

TEST(GpuReferenceSizes, EveryTaskFitsAndCompletes) {
  constexpr std::size_t kMost = std::size_t{16} << 30;  // untouched pages cost nothing
  void* const zeros =
      ::mmap(nullptr, kMost, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  int judged = 0;
  for (const std::string& name : bench::builtin_task_names()) {
    if (!name.starts_with("kernelbench:") || name.ends_with("@small")) continue;
    const auto task = bench::find_task(name);
    ASSERT_TRUE(task) << name << ": " << task.error().message;
    const auto plan = plan_trial(*task, "", Family::AsDrawn, kNoValue, 1);
    ASSERT_TRUE(plan) << name << ": " << plan.error().message;
    std::vector<std::span<const std::byte>> outputs;
    for (const ValueId id : task->graph.outputs) {
      const Value& value = task->graph.value(id);
      const std::size_t bytes =
          static_cast<std::size_t>(storage_elements(value)) * size_of(value.dtype);
      ASSERT_LE(bytes, kMost);
      outputs.emplace_back(static_cast<const std::byte*>(zeros), bytes);
    }
    EXPECT_GT(reference_cost(*task), kLargeCost) << name << " would wait for the interpreter";
    IdleAccelerator device;
    const auto verdict = judge_trial(device, *task, *plan, outputs, {});
    EXPECT_TRUE(verdict) << name << ": " << verdict.error().message;
    EXPECT_EQ(device.in_use(), 0u) << name;
    EXPECT_LE(device.most(), kCapacity / 10 * 9) << name;
    ++judged;
  }
  EXPECT_EQ(judged, 250);
  ::munmap(zeros, kMost);
}

}  // namespace
}  // namespace kw::verify::gpu

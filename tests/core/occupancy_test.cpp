// The tables against NVIDIA's own calculator where the toolkit's header is there, and figures known
// from the programming guide everywhere.

#include "kw/core/occupancy.h"

#include <gtest/gtest.h>

#if __has_include(<cuda_occupancy.h>)
#include <cuda_occupancy.h>
#define KW_HAVE_CALCULATOR
#endif

namespace kw {
namespace {

Occupancy of(std::string_view arch, const BlockNeeds& needs) {
  return occupancy(*find_sm_table(arch), needs).value();
}

TEST(Occupancy, FindsARowByEverySpellingOfItsArchitecture) {
  for (const char* name : {"sm_90", "sm_90a", "compute_90", "compute_90a"}) {
    ASSERT_NE(find_sm_table(name), nullptr) << name;
    EXPECT_EQ(find_sm_table(name)->device, "H100");
  }
  EXPECT_EQ(find_sm_table("sm_52"), nullptr);
  EXPECT_EQ(find_sm_table("90"), nullptr);
  EXPECT_EQ(find_sm_table(""), nullptr);
}

TEST(Occupancy, NamesWhatAllowsNoFurtherBlock) {
  EXPECT_EQ(of("sm_80", {256, 32, 0}).fraction, 1.0);
  EXPECT_EQ(of("sm_80", {32, 32, 0}).limit, OccupancyLimit::Blocks);
  EXPECT_EQ(of("sm_80", {32, 32, 0}).fraction, 0.5);
  const Occupancy registers = of("sm_80", {256, 128, 0});
  EXPECT_EQ(registers.limit, OccupancyLimit::Registers);
  EXPECT_EQ(registers.warps, 16u);
  const Occupancy shared = of("sm_80", {128, 32, 80 << 10});
  EXPECT_EQ(shared.limit, OccupancyLimit::SharedMemory);
  EXPECT_EQ(shared.blocks, 2u);
  EXPECT_EQ(of("sm_86", {128, 32, 100 << 10}).blocks, 0u) << "does not fit at all";
  EXPECT_FALSE(occupancy(*find_sm_table("sm_80"), {}));
}

#ifdef KW_HAVE_CALCULATOR
TEST(Occupancy, AgreesWithTheToolkitsCalculator) {
  for (const SmTable& row : sm_tables()) {
    cudaOccDeviceProp device;
    device.computeMajor = row.arch[3] - '0';
    device.computeMinor = row.arch[4] - '0';
    device.maxThreadsPerBlock = 1024;
    device.maxThreadsPerMultiprocessor = static_cast<int>(row.warps * 32);
    device.regsPerBlock = device.regsPerMultiprocessor = static_cast<int>(row.registers);
    device.warpSize = 32;
    device.sharedMemPerBlock = 48 << 10;
    device.sharedMemPerMultiprocessor = row.shared_bytes;
    device.sharedMemPerBlockOptin = row.shared_per_block;
    device.reservedSharedMemPerBlock = row.shared_reserved;
    device.numSms = static_cast<int>(row.multiprocessors);
    cudaOccDeviceState state;
    state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    for (std::uint32_t threads = 1; threads <= 1024; threads += threads < 64 ? 21 : 48) {
      for (std::uint32_t registers = 16; registers <= 255; registers += 7) {
        for (std::uint32_t shared = 0; shared <= row.shared_per_block; shared += 3000) {
          cudaOccFuncAttributes kernel;
          kernel.maxThreadsPerBlock = 1024;
          kernel.numRegs = static_cast<int>(registers);
          kernel.sharedSizeBytes = 0;
          kernel.partitionedGCConfig = PARTITIONED_GC_OFF;
          kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
          kernel.maxDynamicSharedSizeBytes = row.shared_per_block;
          kernel.numBlockBarriers = 0;
          cudaOccResult result{};
          ASSERT_EQ(cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state,
                                                            static_cast<int>(threads), shared),
                    CUDA_OCC_SUCCESS);
          const Occupancy ours = occupancy(row, {threads, registers, shared}).value();
          ASSERT_EQ(ours.blocks, static_cast<std::uint32_t>(result.activeBlocksPerMultiprocessor))
              << row.arch << ": " << threads << " threads, " << registers << " registers, "
              << shared << " bytes";
        }
      }
    }
  }
}
#endif

}  // namespace
}  // namespace kw

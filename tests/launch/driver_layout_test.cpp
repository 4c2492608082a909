// Our copies of the driver's types against cuda.h, where it is installed.

#include <gtest/gtest.h>

#include "kw/launch/driver_table.h"

#if __has_include(<cuda.h>)
#include <cuda.h>

namespace {

namespace cu = kw::launch::cu;

TEST(DriverLayout, IsThatOfCudaH) {
  static_assert(sizeof(cu::DevicePtr) == sizeof(CUdeviceptr));
  static_assert(sizeof(cu::Uuid) == sizeof(CUuuid));
  static_assert(sizeof(cu::TensorMap) == sizeof(CUtensorMap) &&
                alignof(cu::TensorMap) >= alignof(CUtensorMap));
  static_assert(sizeof(cu::LaunchAttribute) == sizeof(CUlaunchAttribute) &&
                offsetof(cu::LaunchAttribute, value) == offsetof(CUlaunchAttribute, value));
  static_assert(sizeof(cu::LaunchConfig) == sizeof(CUlaunchConfig) &&
                offsetof(cu::LaunchConfig, shared_bytes) ==
                    offsetof(CUlaunchConfig, sharedMemBytes) &&
                offsetof(cu::LaunchConfig, stream) == offsetof(CUlaunchConfig, hStream) &&
                offsetof(cu::LaunchConfig, attributes) == offsetof(CUlaunchConfig, attrs) &&
                offsetof(cu::LaunchConfig, attribute_count) == offsetof(CUlaunchConfig, numAttrs));
}

template <typename Ours, typename Theirs>
constexpr bool same(Ours ours, Theirs theirs) {
  return static_cast<int>(ours) == static_cast<int>(theirs);
}

TEST(DriverLayout, HasTheNumbersOfCudaH) {
  static_assert(same(cu::kOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY));
  static_assert(same(cu::kNotFound, CUDA_ERROR_NOT_FOUND));
  static_assert(same(cu::kMaxThreadsPerBlock, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK));
  static_assert(same(cu::kMaxBlockDimX, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X));
  static_assert(same(cu::kMaxGridDimX, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X));
  static_assert(same(cu::kClockRateKhz, CU_DEVICE_ATTRIBUTE_CLOCK_RATE));
  static_assert(same(cu::kMultiprocessorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
  static_assert(same(cu::kL2CacheBytes, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE));
  static_assert(same(cu::kComputeCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR));
  static_assert(same(cu::kComputeCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
  static_assert(same(cu::kPageableMemoryAccess, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS));
  static_assert(
      same(cu::kMaxSharedPerBlockOptin, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN));
  static_assert(same(cu::kClusterLaunch, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH));
  static_assert(same(cu::kTensorMapAccess, CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED));
  static_assert(same(cu::kFunctionStaticSharedBytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES));
  static_assert(
      same(cu::kFunctionMaxDynamicShared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES));
  static_assert(same(cu::kLimitPersistingL2, CU_LIMIT_PERSISTING_L2_CACHE_SIZE));
  static_assert(same(cu::kAttributeCooperative, CU_LAUNCH_ATTRIBUTE_COOPERATIVE));
  static_assert(same(cu::kAttributeClusterDimension, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION));
  static_assert(same(cu::kAttributeProgrammaticSerialization,
                     CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION));
  static_assert(CU_STREAM_NON_BLOCKING == 1 && CU_STREAM_CAPTURE_MODE_THREAD_LOCAL == 1);
  static_assert(CU_TENSOR_MAP_DATA_TYPE_UINT8 == 0 && CU_TENSOR_MAP_DATA_TYPE_UINT16 == 1 &&
                CU_TENSOR_MAP_DATA_TYPE_INT32 == 3 && CU_TENSOR_MAP_DATA_TYPE_INT64 == 5 &&
                CU_TENSOR_MAP_DATA_TYPE_FLOAT16 == 6 && CU_TENSOR_MAP_DATA_TYPE_FLOAT32 == 7 &&
                CU_TENSOR_MAP_DATA_TYPE_FLOAT64 == 8 && CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 == 9);
  static_assert(CU_TENSOR_MAP_SWIZZLE_32B == 1 && CU_TENSOR_MAP_SWIZZLE_128B == 3 &&
                CU_TENSOR_MAP_L2_PROMOTION_L2_128B == 2);
}

}  // namespace
#else
TEST(DriverLayout, IsThatOfCudaH) { GTEST_SKIP() << "no cuda.h here"; }
#endif

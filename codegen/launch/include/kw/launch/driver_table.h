#pragma once
// The part of the CUDA driver API that is used, with types of our own: nothing of the toolkit is
// needed to build, and a test can put other functions in. Layouts and numbers are those of cuda.h;
// a test compares them where that header exists.

#include <array>
#include <cstddef>
#include <cstdint>

namespace kw::launch::cu {

using Result = int;  // CUresult
using Device = int;
using DevicePtr = std::uint64_t;
using Context = void*;
using Module = void*;
using Function = void*;
using Stream = void*;
using Event = void*;
using Graph = void*;
using GraphExec = void*;

inline constexpr Result kSuccess = 0;
inline constexpr Result kOutOfMemory = 2;
inline constexpr Result kNotFound = 500;
inline constexpr Result kNotReady = 600;

enum DeviceAttribute : int {
  kMaxThreadsPerBlock = 1,
  kMaxBlockDimX = 2,
  kMaxGridDimX = 5,
  kClockRateKhz = 13,
  kMultiprocessorCount = 16,
  kL2CacheBytes = 38,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kPageableMemoryAccess = 88,
  kCooperativeLaunch = 95,
  kMaxSharedPerBlockOptin = 97,
  kClusterLaunch = 120,
  kTensorMapAccess = 127,
};
enum FunctionAttribute : int {
  kFunctionStaticSharedBytes = 1,
  kFunctionMaxDynamicShared = 8,
  kFunctionNonPortableCluster = 14,
};
enum Limit : int { kLimitPersistingL2 = 6 };

struct Uuid {
  std::array<unsigned char, 16> bytes;
};
struct alignas(128) TensorMap {  // 64 before CUDA 13
  std::array<std::uint64_t, 16> opaque;
};

enum LaunchAttributeId : int {
  kAttributeCooperative = 2,
  kAttributeClusterDimension = 4,
  kAttributeProgrammaticSerialization = 6,
};
union LaunchAttributeValue {
  std::array<char, 64> pad;
  int flag;  // cooperative, programmatic serialization
  struct {
    unsigned x, y, z;
  } cluster;
};
struct LaunchAttribute {
  int id;
  std::array<char, 4> pad;
  LaunchAttributeValue value;
};
struct LaunchConfig {
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};

/// Null where the driver is too old for a function marked optional.
struct Table {
  Result (*init)(unsigned flags);
  Result (*driver_version)(int* version);
  Result (*error_name)(Result error, const char** text);
  Result (*error_string)(Result error, const char** text);
  Result (*device_count)(int* count);
  Result (*device_get)(Device* device, int ordinal);
  Result (*device_name)(char* name, int length, Device device);
  Result (*device_uuid)(Uuid* uuid, Device device);
  Result (*device_attribute)(int* value, int attribute, Device device);
  Result (*device_total_memory)(std::size_t* bytes, Device device);
  Result (*primary_context_retain)(Context* context, Device device);
  Result (*primary_context_release)(Device device);
  Result (*context_set_current)(Context context);
  Result (*context_synchronize)();
  Result (*context_set_limit)(int limit, std::size_t value);
  Result (*context_reset_persisting_l2)();  // optional (11.0)
  Result (*memory_info)(std::size_t* free_bytes, std::size_t* total);
  Result (*memory_allocate)(DevicePtr* address, std::size_t bytes);
  Result (*memory_free)(DevicePtr address);
  Result (*host_allocate)(void** address, std::size_t bytes, unsigned flags);
  Result (*host_free)(void* address);
  Result (*copy_to_device)(DevicePtr to, const void* from, std::size_t bytes, Stream stream);
  Result (*copy_to_host)(void* to, DevicePtr from, std::size_t bytes, Stream stream);
  Result (*copy_on_device)(DevicePtr to, DevicePtr from, std::size_t bytes, Stream stream);
  Result (*fill_bytes)(DevicePtr at, unsigned char value, std::size_t count, Stream stream);
  Result (*fill_words)(DevicePtr at, unsigned value, std::size_t count, Stream stream);
  Result (*stream_create)(Stream* stream, unsigned flags);
  Result (*stream_destroy)(Stream stream);
  Result (*stream_synchronize)(Stream stream);
  Result (*stream_begin_capture)(Stream stream, int mode);
  Result (*stream_end_capture)(Stream stream, Graph* graph);
  Result (*event_create)(Event* event, unsigned flags);
  Result (*event_destroy)(Event event);
  Result (*event_record)(Event event, Stream stream);
  Result (*event_synchronize)(Event event);
  Result (*event_elapsed_ms)(float* milliseconds, Event begin, Event end);
  Result (*module_load)(Module* module, const void* image);
  Result (*module_unload)(Module module);
  Result (*module_function)(Function* function, Module module, const char* name);
  Result (*function_attribute)(int* value, int attribute, Function function);
  Result (*function_set_attribute)(Function function, int attribute, int value);
  Result (*function_parameter)(Function function, std::size_t index, std::size_t* offset,
                               std::size_t* bytes);  // optional (12.4)
  Result (*occupancy)(int* blocks, Function function, int threads, std::size_t shared_bytes);
  Result (*launch)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                   Stream stream, void** parameters, void** extra);
  Result (*launch_cooperative)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                               unsigned block_x, unsigned block_y, unsigned block_z,
                               unsigned shared_bytes, Stream stream, void** parameters);
  Result (*launch_ex)(const LaunchConfig* config, Function function, void** parameters,
                      void** extra);  // optional (11.8)
  Result (*tensor_map_tiled)(TensorMap* map, int type, std::uint32_t rank, void* base,
                             const std::uint64_t* dims, const std::uint64_t* strides,
                             const std::uint32_t* box, const std::uint32_t* element_strides,
                             int interleave, int swizzle, int l2_promotion,
                             int fill);  // optional (12.0)
  Result (*graph_instantiate)(GraphExec* exec, Graph graph, unsigned long long flags);
  Result (*graph_launch)(GraphExec exec, Stream stream);
  Result (*graph_destroy)(Graph graph);
  Result (*graph_exec_destroy)(GraphExec exec);
};

}  // namespace kw::launch::cu

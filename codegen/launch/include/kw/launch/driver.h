#pragma once
// libcuda.so.1, loaded when it is asked for, and owners of its handles.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kw/core/result.h"
#include "kw/launch/bind.h"
#include "kw/launch/driver_table.h"

namespace kw::launch {

/// The process-wide driver. Errors: Unavailable, with the cure. Thread-safe; the library stays
/// loaded. Never call it in the process that decides: it maps the driver and its devices.
Result<const cu::Table*> load_driver();

/// "cuLaunchKernel: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)"
Error driver_error(const cu::Table& api, cu::Result result, const char* call);
inline Status check(const cu::Table& api, cu::Result result, const char* call) {
  if (result == cu::kSuccess) return {};
  return tl::unexpected<Error>(driver_error(api, result, call));
}

struct DeviceFacts {
  int ordinal = 0;
  std::string name;
  std::string uuid;    // "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
  std::string driver;  // CUDA version the driver supports: "13.0"
  std::string arch;    // "sm_90a" on Hopper, so that wgmma may be used; "sm_80" elsewhere
  int clock_khz = 0;
  std::int64_t l2_bytes = 0;
  bool pageable_memory_access = false;  // kernels can read this process's ordinary memory
  PlanLimits limits;
};
Result<DeviceFacts> device_facts(const cu::Table& api, int ordinal);
Result<int> device_count(const cu::Table& api);

/// The primary context, retained and current on the calling thread. Releases on destruction.
class PrimaryContext {
 public:
  static Result<PrimaryContext> retain(const cu::Table& api, int ordinal);
  PrimaryContext(PrimaryContext&& other) noexcept;
  PrimaryContext& operator=(PrimaryContext&&) = delete;
  ~PrimaryContext();

 private:
  PrimaryContext(const cu::Table& api, cu::Device device) : api_(&api), device_(device) {}
  const cu::Table* api_;
  cu::Device device_;
  bool owned_ = true;
};

namespace detail {
struct FreeMemory {
  const cu::Table* api;
  void operator()(void* address) const noexcept;
};
struct UnloadModule {
  const cu::Table* api;
  void operator()(void* module) const noexcept;
};
struct DestroyStream {
  const cu::Table* api;
  void operator()(void* stream) const noexcept;
};
struct DestroyEvent {
  const cu::Table* api;
  void operator()(void* event) const noexcept;
};
struct DestroyGraphExec {
  const cu::Table* api;
  void operator()(void* exec) const noexcept;
};
struct FreeHost {
  const cu::Table* api;
  void operator()(void* address) const noexcept;
};
}  // namespace detail

/// Owners; failing to destroy is ignored: the context is then gone, and everything with it.
using DeviceMemory = std::unique_ptr<void, detail::FreeMemory>;  // get() is the device address
using Module = std::unique_ptr<void, detail::UnloadModule>;
using Stream = std::unique_ptr<void, detail::DestroyStream>;
using Event = std::unique_ptr<void, detail::DestroyEvent>;
using GraphExec = std::unique_ptr<void, detail::DestroyGraphExec>;
using PinnedMemory = std::unique_ptr<void, detail::FreeHost>;

/// At least one byte is allocated, so that an empty buffer has an address too.
Result<DeviceMemory> allocate(const cu::Table& api, std::size_t bytes);
Result<PinnedMemory> allocate_pinned(const cu::Table& api, std::size_t bytes);
Result<Module> load_module(const cu::Table& api, const std::string& cubin);
Result<Stream> make_stream(const cu::Table& api);
Result<Event> make_event(const cu::Table& api);
inline cu::DevicePtr address(const DeviceMemory& memory) noexcept {
  return reinterpret_cast<cu::DevicePtr>(memory.get());
}

}  // namespace kw::launch

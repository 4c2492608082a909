#include "kw/launch/driver.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>

namespace kw::launch {

namespace {

constexpr unsigned kStreamNonBlocking = 1;

struct Loader {
  void* handle = nullptr;
  const char* missing = nullptr;

  template <typename F>
  void need(F& pointer, const char* name) {
    maybe(pointer, name);
    if (pointer == nullptr && missing == nullptr) missing = name;
  }
  template <typename F>
  void maybe(F& pointer, const char* name) {
    pointer = reinterpret_cast<F>(::dlsym(handle, name));
  }
};

// Names carry the version of the ABI that driver_table.h describes.
void fill_table(cu::Table& t, Loader& l) {
  l.need(t.init, "cuInit");
  l.need(t.driver_version, "cuDriverGetVersion");
  l.need(t.error_name, "cuGetErrorName");
  l.need(t.error_string, "cuGetErrorString");
  l.need(t.device_count, "cuDeviceGetCount");
  l.need(t.device_get, "cuDeviceGet");
  l.need(t.device_name, "cuDeviceGetName");
  l.need(t.device_uuid, "cuDeviceGetUuid");
  l.need(t.device_attribute, "cuDeviceGetAttribute");
  l.need(t.device_total_memory, "cuDeviceTotalMem_v2");
  l.need(t.primary_context_retain, "cuDevicePrimaryCtxRetain");
  l.need(t.primary_context_release, "cuDevicePrimaryCtxRelease_v2");
  l.need(t.context_set_current, "cuCtxSetCurrent");
  l.need(t.context_synchronize, "cuCtxSynchronize");
  l.need(t.context_set_limit, "cuCtxSetLimit");
  l.maybe(t.context_reset_persisting_l2, "cuCtxResetPersistingL2Cache");
  l.need(t.memory_info, "cuMemGetInfo_v2");
  l.need(t.memory_allocate, "cuMemAlloc_v2");
  l.need(t.memory_free, "cuMemFree_v2");
  l.need(t.host_allocate, "cuMemHostAlloc");
  l.need(t.host_free, "cuMemFreeHost");
  l.need(t.copy_to_device, "cuMemcpyHtoDAsync_v2");
  l.need(t.copy_to_host, "cuMemcpyDtoHAsync_v2");
  l.need(t.copy_on_device, "cuMemcpyDtoDAsync_v2");
  l.need(t.fill_bytes, "cuMemsetD8Async");
  l.need(t.fill_words, "cuMemsetD32Async");
  l.need(t.stream_create, "cuStreamCreate");
  l.need(t.stream_destroy, "cuStreamDestroy_v2");
  l.need(t.stream_synchronize, "cuStreamSynchronize");
  l.need(t.stream_begin_capture, "cuStreamBeginCapture_v2");
  l.need(t.stream_end_capture, "cuStreamEndCapture");
  l.need(t.event_create, "cuEventCreate");
  l.need(t.event_destroy, "cuEventDestroy_v2");
  l.need(t.event_record, "cuEventRecord");
  l.need(t.event_synchronize, "cuEventSynchronize");
  l.need(t.event_elapsed_ms, "cuEventElapsedTime");
  l.need(t.module_load, "cuModuleLoadData");
  l.need(t.module_unload, "cuModuleUnload");
  l.need(t.module_function, "cuModuleGetFunction");
  l.need(t.function_attribute, "cuFuncGetAttribute");
  l.need(t.function_set_attribute, "cuFuncSetAttribute");
  l.maybe(t.function_parameter, "cuFuncGetParamInfo");
  l.need(t.occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor");
  l.need(t.launch, "cuLaunchKernel");
  l.need(t.launch_cooperative, "cuLaunchCooperativeKernel");
  l.maybe(t.launch_ex, "cuLaunchKernelEx");
  l.maybe(t.tensor_map_tiled, "cuTensorMapEncodeTiled");
  l.need(t.graph_instantiate, "cuGraphInstantiateWithFlags");
  l.need(t.graph_launch, "cuGraphLaunch");
  l.need(t.graph_destroy, "cuGraphDestroy");
  l.need(t.graph_exec_destroy, "cuGraphExecDestroy");
}

Result<const cu::Table*> load_once() {
  Loader loader;
  for (const char* name : {"libcuda.so.1", "libcuda.so"}) {
    loader.handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (loader.handle != nullptr) break;
  }
  if (loader.handle == nullptr) {
    return fail(
        Errc::Unavailable,
        "no NVIDIA driver here (libcuda.so.1 was not found): use the virtual machine, --device "
        "vm");
  }
  static cu::Table table{};
  fill_table(table, loader);
  if (loader.missing != nullptr) {
    return fail(Errc::Unavailable,
                "the NVIDIA driver has no {}: one for CUDA 11.4 or newer is needed",
                loader.missing);
  }
  KW_RETURN_IF_ERROR(check(table, table.init(0), "cuInit"));
  return &table;
}

std::string uuid_text(const cu::Uuid& uuid) {
  std::string text = "GPU-";
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", uuid.bytes[i]);
  }
  return text;
}

}  // namespace

Result<const cu::Table*> load_driver() {
  static const Result<const cu::Table*> loaded = load_once();
  return loaded;
}

Error driver_error(const cu::Table& api, cu::Result result, const char* call) {
  const char* name = nullptr;
  const char* text = nullptr;
  api.error_name(result, &name);
  api.error_string(result, &text);
  const Errc code = result == cu::kOutOfMemory ? Errc::ResourceExhausted : Errc::Unavailable;
  return {code, fmt::format("{}: {} ({})", call, name != nullptr ? name : "unknown error",
                            text != nullptr ? text : "no description")};
}

Result<int> device_count(const cu::Table& api) {
  int count = 0;
  KW_RETURN_IF_ERROR(check(api, api.device_count(&count), "cuDeviceGetCount"));
  return count;
}

Result<DeviceFacts> device_facts(const cu::Table& api, int ordinal) {
  KW_ASSIGN(const int count, device_count(api));
  if (ordinal < 0 || ordinal >= count) {
    return fail(Errc::Unavailable, "there is no CUDA device {} ({} found)", ordinal, count);
  }
  cu::Device device = 0;
  KW_RETURN_IF_ERROR(check(api, api.device_get(&device, ordinal), "cuDeviceGet"));
  DeviceFacts facts;
  facts.ordinal = ordinal;
  std::array<char, 256> name{};
  KW_RETURN_IF_ERROR(check(api, api.device_name(name.data(), 255, device), "cuDeviceGetName"));
  facts.name = name.data();
  cu::Uuid uuid{};
  KW_RETURN_IF_ERROR(check(api, api.device_uuid(&uuid, device), "cuDeviceGetUuid"));
  facts.uuid = uuid_text(uuid);
  int version = 0;
  KW_RETURN_IF_ERROR(check(api, api.driver_version(&version), "cuDriverGetVersion"));
  facts.driver = fmt::format("{}.{}", version / 1000, version % 1000 / 10);

  Status failed;
  const auto attribute = [&](int which) {
    int value = 0;
    // An attribute that an older driver does not know is one that its devices do not have.
    return api.device_attribute(&value, which, device) == cu::kSuccess ? value : 0;
  };
  const int major = attribute(cu::kComputeCapabilityMajor);
  const int minor = attribute(cu::kComputeCapabilityMinor);
  facts.arch = fmt::format("sm_{}{}{}", major, minor, major >= 9 ? "a" : "");
  facts.clock_khz = attribute(cu::kClockRateKhz);
  facts.l2_bytes = attribute(cu::kL2CacheBytes);
  facts.pageable_memory_access = attribute(cu::kPageableMemoryAccess) != 0;

  std::size_t memory = 0;
  KW_RETURN_IF_ERROR(check(api, api.device_total_memory(&memory, device), "cuDeviceTotalMem"));
  PlanLimits& limits = facts.limits;
  limits.memory_bytes = static_cast<std::int64_t>(memory);
  limits.sm_count = attribute(cu::kMultiprocessorCount);
  limits.max_threads_per_block = attribute(cu::kMaxThreadsPerBlock);
  limits.shared_per_block = attribute(cu::kMaxSharedPerBlockOptin);
  for (int i = 0; i < 3; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    limits.max_block[axis] = attribute(cu::kMaxBlockDimX + i);
    limits.max_grid[axis] = attribute(cu::kMaxGridDimX + i);
  }
  limits.max_cluster = attribute(cu::kClusterLaunch) != 0 && api.launch_ex != nullptr ? 8 : 0;
  limits.tensor_maps = attribute(cu::kTensorMapAccess) != 0 && api.tensor_map_tiled != nullptr;
  return facts;
}

Result<PrimaryContext> PrimaryContext::retain(const cu::Table& api, int ordinal) {
  cu::Device device = 0;
  KW_RETURN_IF_ERROR(check(api, api.device_get(&device, ordinal), "cuDeviceGet"));
  cu::Context context = nullptr;
  KW_RETURN_IF_ERROR(
      check(api, api.primary_context_retain(&context, device), "cuDevicePrimaryCtxRetain"));
  PrimaryContext owner(api, device);
  KW_RETURN_IF_ERROR(check(api, api.context_set_current(context), "cuCtxSetCurrent"));
  return owner;
}

PrimaryContext::PrimaryContext(PrimaryContext&& other) noexcept
    : api_(other.api_), device_(other.device_), owned_(std::exchange(other.owned_, false)) {}

PrimaryContext::~PrimaryContext() {
  if (owned_) api_->primary_context_release(device_);
}

namespace detail {

void FreeMemory::operator()(void* address) const noexcept {
  api->memory_free(reinterpret_cast<cu::DevicePtr>(address));
}
void UnloadModule::operator()(void* module) const noexcept { api->module_unload(module); }
void DestroyStream::operator()(void* stream) const noexcept { api->stream_destroy(stream); }
void DestroyEvent::operator()(void* event) const noexcept { api->event_destroy(event); }
void DestroyGraphExec::operator()(void* exec) const noexcept { api->graph_exec_destroy(exec); }
void FreeHost::operator()(void* address) const noexcept { api->host_free(address); }

}  // namespace detail

Result<DeviceMemory> allocate(const cu::Table& api, std::size_t bytes) {
  cu::DevicePtr address = 0;
  if (const cu::Result rc = api.memory_allocate(&address, std::max<std::size_t>(bytes, 1))) {
    return wrap(driver_error(api, rc, "cuMemAlloc"), fmt::format("allocating {} bytes", bytes));
  }
  return DeviceMemory(reinterpret_cast<void*>(address), {&api});
}

Result<PinnedMemory> allocate_pinned(const cu::Table& api, std::size_t bytes) {
  void* address = nullptr;
  KW_RETURN_IF_ERROR(check(api, api.host_allocate(&address, std::max<std::size_t>(bytes, 1), 0),
                           "cuMemHostAlloc"));
  return PinnedMemory(address, {&api});
}

Result<Module> load_module(const cu::Table& api, const std::string& cubin) {
  cu::Module module = nullptr;
  KW_RETURN_IF_ERROR(check(api, api.module_load(&module, cubin.data()), "cuModuleLoadData"));
  return Module(module, {&api});
}

Result<Stream> make_stream(const cu::Table& api) {
  cu::Stream stream = nullptr;
  KW_RETURN_IF_ERROR(check(api, api.stream_create(&stream, kStreamNonBlocking), "cuStreamCreate"));
  return Stream(stream, {&api});
}

Result<Event> make_event(const cu::Table& api) {
  cu::Event event = nullptr;
  KW_RETURN_IF_ERROR(check(api, api.event_create(&event, 0), "cuEventCreate"));
  return Event(event, {&api});
}

}  // namespace kw::launch

#pragma GCC visibility push(default)
#include "kernelwright.h"
#pragma GCC visibility pop

#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kw/launch/bind.h"
#include "kw/launch/driver.h"
#include "kw/launch/launcher.h"
#include "kw/launch/scratch.h"

using namespace kw;  // NOLINT: the C ABI's own file

struct kw_kernel {
  const launch::cu::Table* api = nullptr;
  std::optional<launch::PrimaryContext> context;
  launch::Module module;
  std::optional<launch::Kernels> kernels;
  launch::BoundPlan plan;
  std::vector<std::size_t> external;  // indices of the caller's buffers in the plan
  launch::Addresses addresses;
  launch::DeviceMemory scratch;
  std::vector<launch::DeviceMemory> owned;
  std::optional<launch::Launcher> launcher;  // made at the first setup or run after a binding
};

namespace {

thread_local std::string t_error;

template <typename Body>
int guarded(Body&& body) {
  try {
    const Status status = body();
    if (status) return 0;
    t_error = status.error().message;
  } catch (const std::exception& error) {
    t_error = error.what();
  }
  return -1;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::NotFound, "cannot open '{}'", path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// A block of scratch for everything that is not the caller's; zero bytes are no allocation.
Status place_scratch(kw_kernel& k) {
  const launch::ScratchLayout layout = launch::pack_scratch(k.plan);
  if (layout.bytes > 0) {
    KW_ASSIGN(k.scratch, launch::allocate(*k.api, static_cast<std::size_t>(layout.bytes)));
  }
  for (std::size_t i = 0; i < k.plan.buffers.size(); ++i) {
    if (layout.offset[i] < 0) continue;
    k.addresses[i] =
        launch::address(k.scratch) + static_cast<launch::cu::DevicePtr>(layout.offset[i]);
  }
  return {};
}

Result<std::unique_ptr<kw_kernel>> open_kernel(const std::string& cubin, std::string_view json,
                                               int ordinal) {
  KW_ASSIGN(const LaunchPlan plan, parse_launch_plan(json));
  auto k = std::make_unique<kw_kernel>();
  KW_ASSIGN(k->api, launch::load_driver());
  KW_ASSIGN(auto context, launch::PrimaryContext::retain(*k->api, ordinal));
  k->context.emplace(std::move(context));
  KW_ASSIGN(const launch::DeviceFacts facts, launch::device_facts(*k->api, ordinal));
  KW_ASSIGN(k->module, launch::load_module(*k->api, cubin));
  KW_ASSIGN(auto kernels, launch::Kernels::find(*k->api, k->module.get(), plan));
  k->kernels.emplace(std::move(kernels));
  launch::BindOptions options;
  options.limits = facts.limits;
  options.occupancy = [&k](const std::string& kernel, std::int64_t threads, std::int64_t shared) {
    return k->kernels->occupancy(kernel, threads, shared);
  };
  KW_ASSIGN(k->plan, launch::bind(plan, options));
  k->addresses.assign(k->plan.buffers.size(), 0);
  for (std::size_t i = 0; i < k->plan.buffers.size(); ++i) {
    const launch::BoundBuffer& buffer = k->plan.buffers[i];
    if (buffer.role != Role::Scratch && buffer.is_root(i)) k->external.push_back(i);
  }
  KW_RETURN_IF_ERROR(place_scratch(*k));
  k->owned.resize(k->external.size());
  return k;
}

Result<std::size_t> plan_index(const kw_kernel* k, std::size_t index) {
  if (index >= k->external.size()) {
    return fail(Errc::InvalidArgument, "no buffer {}: there are {}", index, k->external.size());
  }
  return k->external[index];
}

Result<launch::Launcher*> launcher_of(kw_kernel* k) {
  if (!k->launcher) {
    for (const std::size_t i : k->external) {
      if (k->addresses[i] == 0 && k->plan.buffers[i].bytes > 0) {
        return fail(Errc::InvalidArgument, "buffer '{}' is not bound", k->plan.buffers[i].name);
      }
    }
    KW_ASSIGN(auto launcher,
              launch::Launcher::prepare(*k->api, k->plan, *k->kernels, k->addresses));
    k->launcher.emplace(std::move(launcher));
  }
  return &*k->launcher;
}

Status copy(kw_kernel* k, std::size_t index, std::uint64_t bytes, const void* from, void* to) {
  KW_ASSIGN(const std::size_t i, plan_index(k, index));
  const launch::BoundBuffer& buffer = k->plan.buffers[i];
  if (bytes > static_cast<std::uint64_t>(buffer.bytes)) {
    return fail(Errc::InvalidArgument, "buffer '{}' has {} bytes, not {}", buffer.name,
                buffer.bytes, bytes);
  }
  if (k->addresses[i] == 0) return fail(Errc::InvalidArgument, "'{}' is not bound", buffer.name);
  const auto rc = from ? k->api->copy_to_device(k->addresses[i], from, bytes, nullptr)
                       : k->api->copy_to_host(to, k->addresses[i], bytes, nullptr);
  KW_RETURN_IF_ERROR(launch::check(*k->api, rc, "copy"));
  return launch::check(*k->api, k->api->stream_synchronize(nullptr), "cuStreamSynchronize");
}

}  // namespace

extern "C" {

const char* kw_last_error(void) { return t_error.c_str(); }

int kw_open_memory(const void* cubin, size_t cubin_bytes, const char* plan_json, int ordinal,
                   kw_kernel** kernel) {
  return guarded([&]() -> Status {
    KW_ASSIGN(auto opened, open_kernel({static_cast<const char*>(cubin), cubin_bytes}, plan_json,
                                       ordinal));
    *kernel = opened.release();
    return {};
  });
}

int kw_open(const char* bundle_directory, int ordinal, kw_kernel** kernel) {
  return guarded([&]() -> Status {
    const std::string folder = bundle_directory;
    KW_ASSIGN(const std::string cubin, read_file(folder + "/kernel.cubin"));
    KW_ASSIGN(const std::string plan, read_file(folder + "/plan.json"));
    KW_ASSIGN(auto opened, open_kernel(cubin, plan, ordinal));
    *kernel = opened.release();
    return {};
  });
}

void kw_close(kw_kernel* kernel) { delete kernel; }

size_t kw_buffer_count(const kw_kernel* kernel) { return kernel->external.size(); }

int kw_buffer_info(const kw_kernel* kernel, size_t index, const char** name, enum kw_role* role,
                   uint64_t* bytes) {
  return guarded([&]() -> Status {
    KW_ASSIGN(const std::size_t i, plan_index(kernel, index));
    const launch::BoundBuffer& buffer = kernel->plan.buffers[i];
    *name = buffer.name.c_str();
    *bytes = static_cast<std::uint64_t>(buffer.bytes);
    switch (buffer.role) {
      case Role::Input: *role = KW_INPUT; break;
      case Role::Weight: *role = KW_WEIGHT; break;
      case Role::State: *role = KW_STATE; break;
      case Role::Output:
      case Role::Scratch: *role = KW_OUTPUT; break;
    }
    return {};
  });
}

int kw_buffer_bind(kw_kernel* kernel, size_t index, uint64_t device_address) {
  return guarded([&]() -> Status {
    KW_ASSIGN(const std::size_t i, plan_index(kernel, index));
    if (device_address % 16 != 0) {
      return fail(Errc::InvalidArgument, "'{}': address {:#x} is not 16-byte aligned",
                  kernel->plan.buffers[i].name, device_address);
    }
    kernel->addresses[i] = device_address;
    kernel->launcher.reset();
    return {};
  });
}

int kw_buffer_allocate(kw_kernel* kernel, size_t index) {
  return guarded([&]() -> Status {
    KW_ASSIGN(const std::size_t i, plan_index(kernel, index));
    KW_ASSIGN(kernel->owned[index],
              launch::allocate(*kernel->api,
                               static_cast<std::size_t>(kernel->plan.buffers[i].bytes)));
    kernel->addresses[i] = launch::address(kernel->owned[index]);
    kernel->launcher.reset();
    return {};
  });
}

int kw_buffer_write(kw_kernel* kernel, size_t index, const void* from, uint64_t bytes) {
  return guarded([&] { return copy(kernel, index, bytes, from, nullptr); });
}

int kw_buffer_read(kw_kernel* kernel, size_t index, void* to, uint64_t bytes) {
  return guarded([&] { return copy(kernel, index, bytes, nullptr, to); });
}

int kw_setup(kw_kernel* kernel, void* stream) {
  return guarded([&]() -> Status {
    KW_ASSIGN(launch::Launcher* launcher, launcher_of(kernel));
    return launcher->enqueue_setup(static_cast<launch::cu::Stream>(stream));
  });
}

int kw_run(kw_kernel* kernel, void* stream) {
  return guarded([&]() -> Status {
    KW_ASSIGN(launch::Launcher* launcher, launcher_of(kernel));
    return launcher->enqueue_run(static_cast<launch::cu::Stream>(stream));
  });
}

int kw_synchronize(kw_kernel* kernel, void* stream) {
  return guarded([&] {
    return launch::check(
        *kernel->api,
        kernel->api->stream_synchronize(static_cast<launch::cu::Stream>(stream)),
        "cuStreamSynchronize");
  });
}

}  // extern "C"

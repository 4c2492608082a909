#pragma once
// The few functions of the CUDA driver that the tests need, found at run time, so that they build
// without a toolkit and run without a GPU (and then skip).

#include <dlfcn.h>

#include <cstddef>

namespace kw::ptxvm {

class Driver {
 public:
  using Address = unsigned long long;

  /// False if there is no driver or no device.
  bool open() {
    library_ = dlopen("libcuda.so.1", RTLD_NOW);
    if (library_ == nullptr) return false;
    const bool found = find(init_, "cuInit") && find(device_, "cuDeviceGet") &&
                       find(retain_, "cuDevicePrimaryCtxRetain") &&
                       find(current_, "cuCtxSetCurrent") && find(load, "cuModuleLoadData") &&
                       find(load_with_, "cuModuleLoadDataEx") && find(unload, "cuModuleUnload") &&
                       find(function, "cuModuleGetFunction") && find(launch_, "cuLaunchKernel") &&
                       find(synchronize, "cuCtxSynchronize") && find(allocate, "cuMemAlloc_v2") &&
                       find(upload, "cuMemcpyHtoD_v2") && find(download, "cuMemcpyDtoH_v2") &&
                       find(set, "cuMemsetD8_v2") && find(name_, "cuDeviceGetName") &&
                       find(version_, "cuDriverGetVersion");
    void* context = nullptr;
    return found && init_(0) == 0 && device_(&ordinal_, 0) == 0 &&
           retain_(&context, ordinal_) == 0 && current_(context) == 0;
  }

  int launch(void* f, unsigned grid, unsigned block, void** arguments) {
    return launch_(f, grid, 1, 1, block, 1, 1, 0, nullptr, arguments, nullptr);
  }
  /// As load, with the driver's compiler at optimisation level 0 to 4.
  int load_at_level(void** module, const void* image, unsigned level) {
    int option = 7;  // CU_JIT_OPTIMIZATION_LEVEL
    void* value = reinterpret_cast<void*>(static_cast<std::size_t>(level));
    return load_with_(module, image, 1, &option, &value);
  }
  void device_name(char* out, int size) { name_(out, size, ordinal_); }
  int driver_version() {
    int version = 0;
    version_(&version);
    return version;
  }

  // 0, or the driver's error code.
  int (*load)(void** module, const void* image) = nullptr;
  int (*unload)(void* module) = nullptr;
  int (*function)(void** function, void* module, const char* name) = nullptr;
  int (*synchronize)() = nullptr;
  int (*allocate)(Address*, std::size_t) = nullptr;
  int (*upload)(Address, const void*, std::size_t) = nullptr;
  int (*download)(void*, Address, std::size_t) = nullptr;
  int (*set)(Address, unsigned char, std::size_t) = nullptr;

 private:
  template <class F>
  bool find(F*& f, const char* name) {
    f = reinterpret_cast<F*>(dlsym(library_, name));
    return f != nullptr;
  }
  void* library_ = nullptr;
  int ordinal_ = 0;
  int (*init_)(unsigned) = nullptr;
  int (*device_)(int*, int) = nullptr;
  int (*retain_)(void**, int) = nullptr;
  int (*current_)(void*) = nullptr;
  int (*load_with_)(void**, const void*, unsigned, int*, void**) = nullptr;
  int (*name_)(char*, int, int) = nullptr;
  int (*version_)(int*) = nullptr;
  int (*launch_)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                 void**, void**) = nullptr;
};

}  // namespace kw::ptxvm

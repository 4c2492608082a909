// The conformance suite on a GPU through its driver, against the virtual machine. With
// KW_RECORD=FILE set it writes the device's digests there: that is how data/h100.txt is made.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>

#include "ptxvm/conformance.h"

namespace kw::ptxvm {
namespace {

// The few driver functions needed, by hand, so that the test builds without a toolkit.
class Driver {
 public:
  bool open() {
    library_ = dlopen("libcuda.so.1", RTLD_NOW);
    if (library_ == nullptr) return false;
    const bool found = find(init_, "cuInit") && find(device_, "cuDeviceGet") &&
                       find(retain_, "cuDevicePrimaryCtxRetain") &&
                       find(current_, "cuCtxSetCurrent") && find(load_, "cuModuleLoadData") &&
                       find(unload_, "cuModuleUnload") && find(function_, "cuModuleGetFunction") &&
                       find(launch_, "cuLaunchKernel") && find(synchronize_, "cuCtxSynchronize") &&
                       find(allocate_, "cuMemAlloc_v2") && find(upload_, "cuMemcpyHtoD_v2") &&
                       find(download_, "cuMemcpyDtoH_v2") && find(set_, "cuMemsetD8_v2");
    int device = 0;
    void* context = nullptr;
    return found && init_(0) == 0 && device_(&device, 0) == 0 && retain_(&context, device) == 0 &&
           current_(context) == 0 &&
           allocate_(&in_, conformance::kLanes * conformance::kRecordBytes) == 0 &&
           allocate_(&out_, conformance::kLanes * conformance::kResultBytes) == 0;
  }

  // 0, or the driver's error code.
  int run(const conformance::Case& c, std::vector<std::byte>& results) {
    const auto records = conformance::inputs(c.inputs);
    results.assign(conformance::kLanes * conformance::kResultBytes, std::byte{});
    void* module = nullptr;
    void* function = nullptr;
    if (const int rc = load_(&module, c.ptx.c_str()); rc != 0) return rc;
    void* arguments[] = {&in_, &out_};
    int rc = upload_(in_, records.data(), records.size());
    if (rc == 0) rc = set_(out_, 0xff, results.size());
    if (rc == 0) rc = function_(&function, module, "k");
    if (rc == 0)
      rc = launch_(function, conformance::kLanes / 128, 1, 1, 128, 1, 1, 0, nullptr, arguments,
                   nullptr);
    if (rc == 0) rc = synchronize_();
    if (rc == 0) rc = download_(results.data(), out_, results.size());
    unload_(module);
    return rc;
  }

 private:
  template <class F>
  bool find(F*& function, const char* name) {
    function = reinterpret_cast<F*>(dlsym(library_, name));
    return function != nullptr;
  }
  void* library_ = nullptr;
  unsigned long long in_ = 0, out_ = 0;
  int (*init_)(unsigned) = nullptr;
  int (*device_)(int*, int) = nullptr;
  int (*retain_)(void**, int) = nullptr;
  int (*current_)(void*) = nullptr;
  int (*load_)(void**, const void*) = nullptr;
  int (*unload_)(void*) = nullptr;
  int (*function_)(void**, void*, const char*) = nullptr;
  int (*launch_)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                 void**, void**) = nullptr;
  int (*synchronize_)() = nullptr;
  int (*allocate_)(unsigned long long*, std::size_t) = nullptr;
  int (*upload_)(unsigned long long, const void*, std::size_t) = nullptr;
  int (*download_)(void*, unsigned long long, std::size_t) = nullptr;
  int (*set_)(unsigned long long, unsigned char, std::size_t) = nullptr;
};

TEST(PtxVmGpu, EveryExactInstructionMatchesTheDeviceBitForBit) {
  Driver driver;
  if (!driver.open()) {
    if (std::getenv("KW_REQUIRE_GPU") != nullptr) FAIL() << "no usable CUDA driver or device";
    GTEST_SKIP() << "no usable CUDA driver or device";
  }
  const char* path = std::getenv("KW_RECORD");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> record(
      path != nullptr ? std::fopen(path, "w") : nullptr, std::fclose);
  for (const conformance::Case& c : conformance::cases()) {
    if (c.approximate) continue;
    std::vector<std::byte> device;
    ASSERT_EQ(driver.run(c, device), 0) << c.name << "\n" << c.ptx;
    std::string refusal;
    const auto vm = conformance::run_on_vm(c, &refusal);
    ASSERT_FALSE(vm.empty()) << refusal;
    EXPECT_EQ(conformance::digest(c, vm), conformance::digest(c, device)) << c.name;
    if (record)
      std::fprintf(record.get(), "%s\t%016llx\n", c.name.c_str(),
                   static_cast<unsigned long long>(conformance::digest(c, device)));
  }
}

}  // namespace
}  // namespace kw::ptxvm

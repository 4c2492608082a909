#include <charconv>

#include "cuda_device.h"
#include "vm_device.h"

namespace kw::verify {

Result<std::unique_ptr<Device>> open_device(const std::string& name) {
  if (name == "vm") return open_vm_device();
  if (name == "auto") {
    auto gpu = open_cuda_device(0);
    // No driver, no GPU, a driver too old: each leaves the virtual machine.
    return gpu ? std::move(gpu) : open_vm_device();
  }
  if (name == "cuda") return open_cuda_device(0);
  int ordinal = -1;
  if (name.starts_with("cuda:")) {
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + 5, end, ordinal);
    if (parsed.ec == std::errc{} && parsed.ptr == end && ordinal >= 0) {
      return open_cuda_device(ordinal);
    }
  }
  return fail(Errc::InvalidArgument, "'{}' is no device: use vm, cuda, cuda:N or auto", name);
}

}  // namespace kw::verify

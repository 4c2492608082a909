#pragma once
// The PTX virtual machine as a Device.

#include "kw/verify/device.h"

namespace kw::verify {

Result<std::unique_ptr<Device>> open_vm_device();

}  // namespace kw::verify

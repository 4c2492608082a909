#pragma once
// The reference's device as a CUDA GPU. Lives in the trusted reference process only.

#include <memory>
#include <string>

#include "accelerator.h"

namespace kw::verify::gpu {

/// Opens the device with this UUID (or the first one when empty) and loads the module. Errors:
/// Unavailable without a driver or such a device.
Result<std::unique_ptr<Accelerator>> open_cuda_accelerator(const std::string& uuid,
                                                           const std::string& cubin);

}  // namespace kw::verify::gpu

#pragma once
// A CUDA GPU as a Device. This process never loads the driver: a runner asks it.

#include "kw/verify/device.h"

namespace kw::verify {

/// Errors: Unavailable, with what the driver said.
Result<std::unique_ptr<Device>> open_cuda_device(int ordinal);

}  // namespace kw::verify

#pragma once
// Resources of kernels, from the ELF file that a cubin is.

#include <map>
#include <string>
#include <string_view>

#include "kw/core/interfaces.h"

namespace kw::compile {

/// Registers and stack from .nv.info (attributes REGCOUNT and FRAME_SIZE), static shared memory
/// from .nv.shared.<kernel>; one entry per .text.<kernel>. What is not well-formed is left out: the
/// result may be empty, never wrong.
std::map<std::string, KernelResources> kernel_resources(std::string_view cubin);

}  // namespace kw::compile

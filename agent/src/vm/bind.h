#pragma once
// From arguments to a kernel's parameter block.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kw/ptxvm/program.h"
#include "messages.h"

namespace kw::agent::vm {

/// The entry called `name`: as the module has it ("_Z4vaddPfi"), demangled ("vadd(float*, int)"),
/// or the part in front of the parenthesis if that is one kernel's alone ("vadd", "sum<float>"). ""
/// is the only entry. NotFound lists what there is.
Result<const ptxvm::KernelInfo*> find_entry(const ptxvm::Program& program, std::string_view name);
/// "vadd(float*, int)" for "_Z4vaddPfi"; names that are not mangled stay as they are.
std::string demangled(const std::string& name);

/// "(pointer, u32, 16 bytes)"
std::string signature_of(const ptxvm::KernelInfo& kernel);

/// The parameter block. `addresses` are those of the arrays. InvalidArgument when number, type or
/// size of the arguments are not the kernel's; it says which, and what would be right.
Result<std::vector<std::byte>> bind_arguments(const ptxvm::KernelInfo& kernel,
                                              std::span<const LaunchArgument> arguments,
                                              std::span<const std::uint64_t> addresses);

}  // namespace kw::agent::vm

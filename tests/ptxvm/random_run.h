#pragma once
// Random programs on the virtual machine, and where two results differ.

#include <string>

#include "kw/ptxvm/run.h"
#include "ptxvm/random_program.h"

namespace kw::ptxvm::random {

/// Runs the kernel; buffers hold the result. "" or what went wrong (refusal, error, finding).
std::string run_on_vm(const ptxvm::Program& module, const Program& program, Buffers& buffers,
                      const Options& options);

/// "" if equal, else the first difference: "out[thread 3][+12]: 00000001 / 00000002".
std::string difference(const Buffers& a, const Buffers& b);

}  // namespace kw::ptxvm::random

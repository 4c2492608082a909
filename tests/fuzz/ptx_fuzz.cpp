#include <cstdlib>
#include <string_view>

#include "kw/ptxvm/program.h"

// Any text is a program or an error with a message, and what is a program describes itself.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto program = kw::ptxvm::load(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!program) {
    if (program.error().message.empty()) std::abort();
    return 0;
  }
  for (const kw::ptxvm::KernelInfo& kernel : (*program)->kernels()) {
    if ((*program)->find_kernel(kernel.name) == nullptr) std::abort();
    if (kernel.refusal && kernel.refusal->message.empty()) std::abort();
    for (const kw::ptxvm::ParameterInfo& p : kernel.parameters) {
      if (std::uint64_t{p.offset} + p.size > kernel.parameter_bytes) std::abort();
    }
  }
  return 0;
}

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "kw/ptxvm/run.h"

namespace {

using namespace kw::ptxvm;

constexpr std::uint64_t kArrayBytes = 1024;
constexpr std::size_t kMostKernels = 2;

// 8-byte parameters become pointers to arrays, all others a small number.
std::vector<std::byte> parameters(const KernelInfo& kernel,
                                  const std::vector<std::uint64_t>& arrays) {
  std::vector<std::byte> out(kernel.parameter_bytes);
  std::size_t next = 0;
  for (const ParameterInfo& p : kernel.parameters) {
    std::uint64_t value = 37;
    if (p.size == 8) value = arrays[next++ % arrays.size()];
    std::memcpy(out.data() + p.offset, &value, std::min<std::size_t>(p.size, sizeof value));
  }
  return out;
}

}  // namespace

// Whatever loads also runs: to its end, to findings or to an error, within its budget.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto program = load(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!program) return 0;
  std::size_t kernels = 0;
  for (const KernelInfo& kernel : (*program)->kernels()) {
    if (kernel.refusal || kernel.parameter_bytes > kArrayBytes) continue;
    if (++kernels > kMostKernels) break;
    Memory memory;
    std::vector<std::uint64_t> arrays;
    for (const char* name : {"a", "b", "c", "d"}) {
      const std::vector<std::byte> zeros(kArrayBytes);
      arrays.push_back(memory.allocate_copy(name, zeros).value());
    }
    Options options = with_all_checks();
    options.count_memory = true;
    options.instruction_budget = 1000;
    options.launch_budget = 2000;
    options.resident_bytes = std::uint64_t{4} << 20;
    const Launch launch{kernel.name, {2}, {48}, 256, parameters(kernel, arrays)};
    const auto report = run(**program, memory, launch, options);
    if (!report && report.error().message.empty()) std::abort();
    if (report && !report->completed && report->findings.empty()) std::abort();
  }
  return 0;
}

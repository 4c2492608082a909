#include "ptxvm/random_run.h"

#include <cstdio>
#include <cstring>

namespace kw::ptxvm::random {

std::string run_on_vm(const ptxvm::Program& module, const Program& program, Buffers& buffers,
                      const Options& options) {
  const KernelInfo* kernel = module.find_kernel(program.name);
  if (kernel == nullptr) return "no kernel " + program.name;
  if (kernel->refusal) return kernel->refusal->message;
  Memory memory;
  const std::uint64_t in = memory.allocate_copy("in", buffers.in).value();
  const std::uint64_t out = memory.allocate_copy("out", buffers.out).value();
  const std::uint64_t sums = memory.allocate_copy("sums", buffers.sums).value();
  Launch launch{program.name, {program.grid}, {program.block}, 0, std::vector<std::byte>(28)};
  std::memcpy(&launch.parameters[0], &in, 8);
  std::memcpy(&launch.parameters[8], &out, 8);
  std::memcpy(&launch.parameters[16], &sums, 8);
  std::memcpy(&launch.parameters[24], &program.n, 4);
  const auto report = run(module, memory, launch, options);
  if (!report) return report.error().message;
  if (!report->findings.empty()) return report->findings.front().message;
  if (!report->completed) return "not completed";
  const auto copy = [&](std::uint64_t address, std::vector<std::byte>& to) {
    const auto bytes = memory.bytes(address);
    to.assign(bytes.begin(), bytes.end());
  };
  copy(out, buffers.out);
  copy(sums, buffers.sums);
  return "";
}

std::string difference(const Buffers& a, const Buffers& b) {
  const auto first = [](const char* what, const std::vector<std::byte>& x,
                        const std::vector<std::byte>& y, std::size_t record) -> std::string {
    for (std::size_t i = 0; i + 4 <= x.size(); i += 4) {
      std::uint32_t p, q;
      std::memcpy(&p, &x[i], 4);
      std::memcpy(&q, &y[i], 4);
      if (p == q) continue;
      char text[96];
      std::snprintf(text, sizeof text, "%s[%zu][+%zu]: %08x / %08x", what, i / record, i % record,
                    p, q);
      return text;
    }
    return "";
  };
  const std::string out = first("out", a.out, b.out, kOutBytes);
  return out.empty() ? first("sums", a.sums, b.sums, 4) : out;
}

}  // namespace kw::ptxvm::random

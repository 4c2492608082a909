#pragma once
// The reference's kernels in the PTX virtual machine, in this process.

#include "accelerator.h"
#include "kw/ptxvm/run.h"

namespace kw::fakes {

class VmAccelerator final : public verify::gpu::Accelerator {
 public:
  explicit VmAccelerator(std::shared_ptr<const ptxvm::Program> program)
      : program_(std::move(program)) {}

  Result<std::uint64_t> allocate(std::size_t bytes) override {
    return memory_.allocate("reference", bytes);
  }
  void release(std::uint64_t address) override { (void)memory_.release(address); }
  Status to_device(std::uint64_t to, std::span<const std::byte> from) override {
    return from.empty() ? Status{} : memory_.write(to, from);
  }
  Status to_host(std::span<std::byte> to, std::uint64_t from) override {
    return to.empty() ? Status{} : memory_.read(from, to);
  }
  Status launch(const char* kernel, std::uint32_t grid, std::uint32_t block,
                std::span<const std::byte> structure, const std::uint64_t* pointer) override {
    const ptxvm::KernelInfo* info = program_->find_kernel(kernel);
    if (info == nullptr) return fail(Errc::NotFound, "no kernel {}", kernel);
    ptxvm::Launch l;
    l.kernel = kernel;
    l.grid.x = std::min<std::uint32_t>(grid, 8);  // every kernel strides over its grid
    if (std::string_view(kernel) == "kw_compare") l.grid.x = grid;  // writes one part per block
    l.block.x = block;
    l.parameters.resize(info->parameter_bytes);
    if (structure.size() != info->parameters.at(0).size) {
      return fail(Errc::Internal, "{}: {} bytes for a parameter of {}", kernel, structure.size(),
                  info->parameters.at(0).size);
    }
    std::memcpy(l.parameters.data() + info->parameters[0].offset, structure.data(),
                structure.size());
    if (pointer != nullptr) {
      std::memcpy(l.parameters.data() + info->parameters.at(1).offset, pointer, sizeof *pointer);
    }
    ptxvm::Options options;
    options.threads = 2;
    KW_ASSIGN(const ptxvm::Report report, ptxvm::run(*program_, memory_, l, options));
    if (!report.clean()) {
      return fail(Errc::Internal, "{}: {}", kernel,
                  report.findings.empty() ? "did not complete" : report.findings[0].message);
    }
    return {};
  }
  std::size_t capacity() const override { return std::size_t{1} << 32; }

 private:
  std::shared_ptr<const ptxvm::Program> program_;
  ptxvm::Memory memory_;
};

}  // namespace kw::fakes

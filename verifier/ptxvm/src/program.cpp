#include "kw/ptxvm/program.h"

#include <algorithm>
#include <atomic>

#include "front/parser.h"
#include "ir/flatten.h"
#include "lower/lowering.h"
#include "program_impl.h"

namespace kw::ptxvm {
namespace {

// An instruction inlined from a toolkit header is reported where user code called it.
void attribute_to_user_code(Module& module) {
  const auto in_toolkit = [&](const SourceLine& at) {
    const auto it = module.files.find(at.file);
    if (it == module.files.end()) return false;
    const std::string& name = it->second;
    return name.find("/include/") != std::string::npos ||
           name.find("_intrinsics.h") != std::string::npos || name.starts_with("cuda_");
  };
  for (Function& f : module.functions) {
    for (Instruction& in : f.code) {
      if (in.inlined_at.line != 0 && in_toolkit(in.source)) in.source = in.inlined_at;
    }
  }
}

Space public_space(Variable::Space space) {
  switch (space) {
    case Variable::Space::Global:
      return Space::Global;
    case Variable::Space::Constant:
      return Space::Constant;
    case Variable::Space::Shared:
      return Space::Shared;
    case Variable::Space::Local:
      return Space::Local;
    case Variable::Space::Param:
      return Space::Parameter;
  }
  return Space::Global;
}

FunctionInfo describe(const Function& f) {
  FunctionInfo info{f.name, f.entry, f.has_body, {}};
  info.instructions.reserve(f.code.size());
  for (const Instruction& in : f.code)
    info.instructions.push_back({in.opcode, in.text, in.callee, in.ptx_line, in.source});
  return info;
}

Result<void> build_kernel(Program::Impl& impl, const Function& f) {
  KernelInfo info;
  info.name = f.name;
  info.max_block_threads = f.max_block_threads;
  auto flat = std::make_unique<FlatKernel>();
  auto lowered = std::make_unique<LoweredKernel>();
  const auto attempt = [&]() -> Status {
    KW_ASSIGN(*flat, flatten(impl.module, f));
    return lower_kernel(impl.module, *flat, {}, *lowered);
  };
  const Status status = attempt();
  if (!status) {
    if (status.error().code != Errc::Unsupported) return wrap(status.error(), "kernel " + f.name);
    info.refusal = status.error();
    lowered.reset();
  }
  std::uint64_t offset = 0;
  for (const int p : f.parameters) {
    const Variable& v = f.variables[static_cast<std::size_t>(p)];
    offset = (offset + v.align - 1) / v.align * v.align;
    info.parameters.push_back({v.name, static_cast<std::uint32_t>(offset),
                               static_cast<std::uint32_t>(v.size), v.align,
                               std::string(type_name(v.type)), v.pointer});
    offset += v.size;
  }
  info.parameter_bytes = static_cast<std::uint32_t>(offset);
  if (lowered) {
    info.static_shared_bytes = lowered->shared_bytes;
    info.local_bytes = lowered->frame_bytes;
  }
  impl.kernels.push_back(std::move(info));
  impl.flat.push_back(std::move(flat));
  impl.lowered.push_back(std::move(lowered));
  return {};
}

}  // namespace

const LoweredKernel& Program::Impl::variant(std::size_t k, Variant wanted) const {
  if (wanted == Variant{}) return *lowered[k];
  const std::lock_guard lock(mutex_);
  std::unique_ptr<LoweredKernel>& made = variants_[{k, wanted}];
  if (!made) {
    made = std::make_unique<LoweredKernel>();
    // What could be lowered without the checks may use too many intermediate values with them.
    if (!lower_kernel(module, *flat[k], wanted, *made)) {
      variants_.erase({k, wanted});
      return *lowered[k];
    }
  }
  return *made;
}

Program::Program(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Program::~Program() = default;

std::span<const KernelInfo> Program::kernels() const noexcept { return impl_->kernels; }
std::span<const FunctionInfo> Program::functions() const noexcept { return impl_->functions; }
std::span<const VariableInfo> Program::variables() const noexcept { return impl_->variables; }
std::string_view Program::ptx_version() const noexcept { return impl_->module.version; }
std::string_view Program::target() const noexcept { return impl_->module.target; }

const KernelInfo* Program::find_kernel(std::string_view name) const noexcept {
  const auto it = std::find_if(impl_->kernels.begin(), impl_->kernels.end(),
                               [&](const KernelInfo& k) { return k.name == name; });
  return it == impl_->kernels.end() ? nullptr : &*it;
}

std::string_view Program::file_name(std::uint32_t file) const noexcept {
  const auto it = impl_->module.files.find(file);
  return it == impl_->module.files.end() ? std::string_view{} : it->second;
}

Result<std::shared_ptr<const Program>> load(std::string_view ptx) {
  static std::atomic<std::uint64_t> next_id{1};
  auto impl = std::make_unique<Program::Impl>();
  impl->id = next_id.fetch_add(1);
  KW_ASSIGN(impl->module, parse_module(ptx));
  attribute_to_user_code(impl->module);
  for (const Variable& v : impl->module.variables) {
    impl->variables.push_back({v.name, public_space(v.space), v.size, v.align, v.external});
  }
  for (const Function& f : impl->module.functions) impl->functions.push_back(describe(f));
  for (const Function& f : impl->module.functions) {
    if (f.entry && f.has_body) KW_RETURN_IF_ERROR(build_kernel(*impl, f));
  }
  return std::make_shared<const Program>(std::move(impl));
}

}  // namespace kw::ptxvm

#include "../../verifier/ptxvm/include/kw/ptxvm/program.h"
namespace kw::ptxvm {
struct Program::Impl {
  std::vector<FunctionInfo> f;
  std::vector<VariableInfo> v;
};
Program::Program(std::unique_ptr<Impl> i) noexcept : impl_(std::move(i)) {}
Program::~Program() = default;
std::span<const FunctionInfo> Program::functions() const noexcept { return impl_->f; }
std::span<const VariableInfo> Program::variables() const noexcept { return impl_->v; }
Result<std::shared_ptr<const Program>> load(std::string_view) {
  auto i = std::make_unique<Program::Impl>();
  i->f.push_back({"k", true, true, {}});
  return std::make_shared<const Program>(std::move(i));
}
}  // namespace kw::ptxvm

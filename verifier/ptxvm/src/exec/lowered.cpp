#include "exec/lowered.h"

#include <string>

namespace kw::ptxvm {
namespace {

int perturbed_handler(int handler) {
  const std::string name = handler_entry(handler).name;
  if (name.find(".approx") == std::string::npos && name.find(".full") == std::string::npos)
    return handler;
  const int other = find_handler(("$perturbed." + name).c_str());
  return other < 0 ? handler : other;
}

}  // namespace

const Ins* LoweredKernel::bound(Isa isa, bool perturbed) const {
  const std::lock_guard lock(mutex_);
  std::vector<Ins>& code_for_isa = bound_[2 * static_cast<std::size_t>(isa) + perturbed];
  if (code_for_isa.empty()) {
    code_for_isa = code;
    for (std::size_t i = 0; i < code_for_isa.size(); ++i)
      code_for_isa[i].run =
          handler_for(perturbed ? perturbed_handler(handlers[i]) : handlers[i], isa);
  }
  return code_for_isa.data();
}

}  // namespace kw::ptxvm

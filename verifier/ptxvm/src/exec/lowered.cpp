#include "exec/lowered.h"

namespace kw::ptxvm {

const Ins* LoweredKernel::bound(Isa isa) const {
  const std::lock_guard lock(mutex_);
  std::vector<Ins>& code_for_isa = bound_[static_cast<std::size_t>(isa)];
  if (code_for_isa.empty()) {
    code_for_isa = code;
    for (std::size_t i = 0; i < code_for_isa.size(); ++i)
      code_for_isa[i].run = handler_for(handlers[i], isa);
  }
  return code_for_isa.data();
}

}  // namespace kw::ptxvm

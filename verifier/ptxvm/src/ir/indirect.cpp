#include "ir/indirect.h"

#include <algorithm>

namespace kw::ptxvm {
namespace {

bool fits(const Function& caller, const std::vector<Operand>& actual, const Function& callee,
          const std::vector<int>& formal) {
  return std::equal(
      actual.begin(), actual.end(), formal.begin(), formal.end(), [&](const Operand& a, int f) {
        const Variable& wanted = callee.variables[static_cast<std::size_t>(f)];
        if (a.kind != Operand::Kind::Symbol || a.variable < 0) return wanted.is_register;
        const Variable& given = caller.variables[static_cast<std::size_t>(a.variable)];
        return !wanted.is_register && given.size == wanted.size;
      });
}

}  // namespace

std::vector<IndirectCallee> indirect_callees(const Module& module, const Function& caller,
                                             const Instruction& call) {
  std::vector<IndirectCallee> out;
  for (std::size_t v = 0; v < module.variables.size(); ++v) {
    if (!module.variables[v].function) continue;
    for (const Function& f : module.functions) {
      if (f.name == module.variables[v].name && fits(caller, call.arguments, f, f.parameters) &&
          fits(caller, call.results, f, f.results))
        out.push_back({&f, static_cast<int>(v)});
    }
  }
  return out;
}

Instruction address_comparison(const Instruction& call) {
  Instruction out = call;
  out.opcode = "setp.ne.u64";
  out.modifiers = {"setp", "ne", "u64"};
  return out;
}

}  // namespace kw::ptxvm

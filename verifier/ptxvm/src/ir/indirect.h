#pragma once
// Calls through a register: which functions they may be of.

#include <vector>

#include "front/ast.h"

namespace kw::ptxvm {

struct IndirectCallee {
  const Function* function;
  int variable;  // Module::variables: its address
};

/// The functions whose address the module takes and whose parameters have the sizes of the call's.
std::vector<IndirectCallee> indirect_callees(const Module& module, const Function& caller,
                                             const Instruction& call);

/// "setp.ne.u64" on behalf of the call.
Instruction address_comparison(const Instruction& call);

}  // namespace kw::ptxvm

#pragma once
// Functions whose address a module takes, in an operand or an initialiser.

#include "front/ast.h"

namespace kw::ptxvm {

/// Adds a variable (Variable::function) for each of them: what it is loaded at is its address.
void add_function_addresses(Module& module);

}  // namespace kw::ptxvm

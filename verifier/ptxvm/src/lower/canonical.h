#pragma once

#include <string>

#include "front/ast.h"

namespace kw::ptxvm {

/// The name under which handlers register an arithmetic opcode: default modifiers (.rn of f32 and
/// f64 arithmetic, .lo of mul and mad) are left out, mad of floats is fma.
std::string canonical_name(const Instruction& in);

/// True for .rz, .rm or .rp on arithmetic that rounds (not on conversions to integers).
bool has_directed_rounding(const Instruction& in);

}  // namespace kw::ptxvm

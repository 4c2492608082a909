#pragma once
// The instruction set as a table of patterns.

#include <string_view>
#include <vector>

namespace kw::ptxvm {

/// Forms that differ in modifiers alone. `{a,b,}` in the opcode stands for each alternative in
/// turn. In the operands `<a|b>` does the same, T1 is register 1 of the opcode's last type, U1 of
/// the last but one, V1 of the last but two; MMA are the registers of an mma of that shape;
/// everything else is as it stands. Registers: %h 16 bits, %r 32, %d 64, %q 128, %f f32, %e f64, %p
/// predicates; [%d8] becomes an address of the space that the opcode names, %d9 is a generic one,
/// %r8 and %d7 are shared ones.
struct FormPattern {
  std::string_view family;
  std::string_view opcode;
  std::string_view operands;
  std::string_view target = "sm_75";  // the first that has it
  std::string_view shown = {};        // in tables, where the opcode does not say it all
};

std::vector<FormPattern> form_patterns();
void append_memory_and_matrix_patterns(std::vector<FormPattern>& out);

}  // namespace kw::ptxvm

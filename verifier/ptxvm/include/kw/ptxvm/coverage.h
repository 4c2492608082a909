#pragma once
// Which instructions of the PTX ISA this machine runs. Nothing here is declared: every form is
// written into a kernel of one instruction, and load() says whether it takes it.

#include <string>
#include <vector>

#include "kw/core/result.h"

namespace kw::ptxvm {

/// One spelling of one instruction.
struct InstructionForm {
  std::string family;       // "integer arithmetic"
  std::string group;        // what is listed together: "add.{s16,u16,s32,u32,s64,u64}"
  std::string opcode;       // "add.s16"
  std::string name;         // the opcode, with operands where it does not say it all
  std::string statement;    // "add.s16 %h1, %h2, %h3;"
  std::string target;       // the first that has it: "sm_75"
  std::string ptx_version;  // "9.0"
  /// Why the kernel is refused; empty: it runs. InvalidArgument would be a fault of the table.
  Error refusal{Errc::Internal, {}};

  bool runs() const noexcept { return refusal.message.empty(); }
};

/// A module of one kernel, named `form`, that executes the form once.
std::string module_of(const InstructionForm& form);

/// All forms, in the order of the ISA's manual. Takes some ten milliseconds.
std::vector<InstructionForm> coverage();

/// The same as a Markdown table: by family, what runs and what is refused.
std::string coverage_table();

}  // namespace kw::ptxvm

#pragma once
// One kernel as one straight list of instructions: calls are replaced by the callee's body, so that
// reconvergence is exact, frames are laid out once, and the executor needs no call stack. A call
// through a register becomes a choice among the functions whose address the module takes.

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "front/ast.h"
#include "kw/core/result.h"

namespace kw::ptxvm {

/// What a name in an operand stands for; Operand::variable indexes FlatKernel::symbols.
struct FlatSymbol {
  enum class Kind : std::uint8_t {
    KernelParameter,  // offset in the parameter block
    Frame,            // .local: offset in the thread's local memory
    CallParameter,    // .param of a call or function: laid out in local memory too
    Shared,           // offset in the block's shared memory
    Variable,         // module variable in global memory: `variable`, relocated at launch
  };
  Kind kind = Kind::Frame;
  std::uint64_t offset = 0;
  int variable = -1;  // index into Module::variables
};

struct FlatInstruction {
  enum class Kind : std::uint8_t {
    Plain,       // as `ast` says
    Branch,      // to `targets[0]`, conditional if guarded
    Switch,      // brx.idx over `targets`
    Exit,        // the active (guarded) lanes end
    Move,        // operands[0] <- operands[1], of operand 0's register type: by-register arguments
    Assert,      // a failed device assert()
    NoFunction,  // a call through a register that holds no function it could be of
    Recursion,   // a call through a register of a function that is running: not supported
  };
  Kind kind = Kind::Plain;
  const Instruction* ast = nullptr;  // the source instruction, for findings
  std::vector<Operand> operands;     // registers renumbered, names resolved
  int guard = -1;
  bool guard_negated = false;
  std::vector<std::uint32_t> targets;  // indices into FlatKernel::code
};

struct FlatKernel {
  const Function* entry = nullptr;
  std::vector<Type> registers;
  std::vector<FlatInstruction> code;
  std::vector<FlatSymbol> symbols;
  std::vector<std::uint32_t> parameter_offsets;
  std::uint32_t parameter_bytes = 0;
  std::uint32_t frame_bytes = 0;        // local memory per thread
  std::uint32_t shared_bytes = 0;       // static shared memory
  std::deque<Instruction> synthesized;  // instructions that stand for calls
};

/// Bound on a kernel after inlining.
inline constexpr std::size_t kMaxFlatInstructions = std::size_t{1} << 20;
inline constexpr std::uint32_t kMaxFrameBytes = 512u << 10;

/// Errors: Unsupported (recursion, unknown extern functions), ResourceExhausted.
Result<FlatKernel> flatten(const Module& module, const Function& kernel);

}  // namespace kw::ptxvm

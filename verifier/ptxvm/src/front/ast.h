#pragma once
// What the parser produces: a module with its names resolved as far as one function goes.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "front/types.h"
#include "kw/ptxvm/program.h"

namespace kw::ptxvm {

/// An operand. Register numbers are per function; names are those of variables, functions or
/// labels.
struct Operand {
  enum class Kind : std::uint8_t {
    Register,  // reg
    Integer,   // value (two's complement)
    Float32,   // value = bits
    Float64,   // value = bits
    Special,   // name: "%tid.x"
    Symbol,    // name + value: the address of a variable or function
    Memory,    // [reg + value] or [name + value] or [value]
    Vector,    // {elements}
    Pair,      // p|q: elements
    Sink,      // _
  };
  Kind kind = Kind::Sink;
  bool negated = false;  // !p
  int reg = -1;
  std::uint64_t value = 0;
  std::string name;
  int variable = -1;  // Symbol, Memory: index into Function::variables; -1: `name` is of the module
  std::vector<Operand> elements;

  bool is_constant() const noexcept {
    return kind == Kind::Integer || kind == Kind::Float32 || kind == Kind::Float64;
  }
};

struct Instruction {
  std::string opcode;                  // "ld.global.f32"
  std::vector<std::string> modifiers;  // opcode split at its dots; [0] is the base
  std::vector<Operand> operands;
  int guard = -1;  // register of @p, or -1
  bool guard_negated = false;
  int label = -1;                           // branch target: a label number of the function
  std::vector<int> label_table;             // brx.idx
  std::string callee;                       // call
  int callee_register = -1;                 // indirect call
  std::vector<Operand> results, arguments;  // call
  std::uint32_t ptx_line = 0;
  SourceLine source;
  SourceLine inlined_at;
  std::string text;

  const std::string& base() const noexcept { return modifiers.front(); }
  bool has(std::string_view modifier) const noexcept {
    for (std::size_t i = 1; i < modifiers.size(); ++i) {
      if (modifiers[i] == modifier) return true;
    }
    return false;
  }
};

/// A variable: module scope, function scope (.local, .param, .shared) or a formal parameter.
struct Variable {
  enum class Space : std::uint8_t { Global, Constant, Shared, Local, Param };
  struct Initial {
    std::uint64_t value = 0;
    std::string symbol;      // address of, plus value
    Type type = Type::None;  // how a literal was written, for conversion (F32/F64 bits or integer)
  };
  std::string name;
  Space space = Space::Global;
  Type type = Type::B8;
  std::uint64_t size = 0;
  std::uint32_t align = 1;
  bool external = false;
  bool function = false;     // stands for the function of this name, whose address is taken
  bool pointer = false;      // .ptr: a parameter that is said to be an address
  bool is_register = false;  // a .reg formal parameter: reg is its number
  int reg = -1;
  std::vector<Initial> initial;
  std::uint32_t ptx_line = 0;
};

struct Function {
  std::string name;
  bool entry = false;
  bool has_body = false;
  std::uint32_t max_block_threads = 0;
  std::vector<Variable> variables;  // formals, then .local, .param and .shared of any scope
  std::vector<int> parameters;      // indices into variables
  std::vector<int> results;
  std::vector<Type> registers;  // by register number
  std::vector<Instruction> code;
  std::vector<std::uint32_t> labels;  // label number -> index into code
  std::uint32_t ptx_line = 0;
};

struct Module {
  std::string version;
  std::string target;
  std::unordered_map<std::uint32_t, std::string> files;
  std::vector<Variable> variables;
  std::vector<Function> functions;
};

}  // namespace kw::ptxvm

#include <algorithm>
#include <array>

#include "lower/lowering.h"

namespace kw::ptxvm {
namespace {

struct Row {
  std::string_view base;
  InstructionClass cls;
};
constexpr std::array kByBase{
    Row{"bra", InstructionClass::Control},
    Row{"brx", InstructionClass::Control},
    Row{"ret", InstructionClass::Control},
    Row{"exit", InstructionClass::Control},
    Row{"call", InstructionClass::Control},
    Row{"trap", InstructionClass::Control},
    Row{"bar", InstructionClass::Barrier},
    Row{"barrier", InstructionClass::Barrier},
    Row{"mbarrier", InstructionClass::Barrier},
    Row{"membar", InstructionClass::Barrier},
    Row{"fence", InstructionClass::Barrier},
    Row{"shfl", InstructionClass::WarpOp},
    Row{"vote", InstructionClass::WarpOp},
    Row{"match", InstructionClass::WarpOp},
    Row{"redux", InstructionClass::WarpOp},
    Row{"elect", InstructionClass::WarpOp},
    Row{"activemask", InstructionClass::WarpOp},
    Row{"atom", InstructionClass::Atomic},
    Row{"red", InstructionClass::Atomic},
    Row{"cp", InstructionClass::AsyncCopy},
    Row{"mma", InstructionClass::Matrix},
    Row{"wmma", InstructionClass::Matrix},
    Row{"ldmatrix", InstructionClass::LoadShared},
    Row{"stmatrix", InstructionClass::StoreShared},
    Row{"mov", InstructionClass::Move},
    Row{"cvta", InstructionClass::Move},
    Row{"prmt", InstructionClass::Move},
    Row{"selp", InstructionClass::Move},
    Row{"slct", InstructionClass::Move},
    Row{"setp", InstructionClass::Predicate},
    Row{"set", InstructionClass::Predicate},
    Row{"testp", InstructionClass::Predicate},
    Row{"isspacep", InstructionClass::Predicate},
    Row{"cvt", InstructionClass::Conversion},
    Row{"sin", InstructionClass::SpecialFunction},
    Row{"cos", InstructionClass::SpecialFunction},
    Row{"ex2", InstructionClass::SpecialFunction},
    Row{"lg2", InstructionClass::SpecialFunction},
    Row{"rcp", InstructionClass::SpecialFunction},
    Row{"rsqrt", InstructionClass::SpecialFunction},
    Row{"sqrt", InstructionClass::SpecialFunction},
    Row{"tanh", InstructionClass::SpecialFunction},
};

}  // namespace

InstructionClass Lowering::classify(In in) const {
  if (in.kind != FlatInstruction::Kind::Plain) {
    return in.kind == FlatInstruction::Kind::Move ? InstructionClass::Move
                                                  : InstructionClass::Control;
  }
  const Instruction& ast = *in.ast;
  if (ast.modifiers.empty()) return InstructionClass::Other;
  const std::string& base = ast.base();
  for (const Row& row : kByBase) {
    if (row.base == base) return row.cls;
  }
  if (base == "ld" || base == "st" || base == "ldu") {
    const bool store = base == "st";
    for (std::size_t i = 1; i < ast.modifiers.size(); ++i) {
      const std::string_view m = ast.modifiers[i];
      if (m.starts_with("shared"))
        return store ? InstructionClass::StoreShared : InstructionClass::LoadShared;
      if (m == "local") return store ? InstructionClass::StoreLocal : InstructionClass::LoadLocal;
      if (m == "const" || m.starts_with("param"))
        return store ? InstructionClass::StoreLocal : InstructionClass::LoadConstant;
    }
    return store ? InstructionClass::StoreGlobal : InstructionClass::LoadGlobal;
  }
  switch (type_modifier(ast)) {
    case Type::F32:
      return InstructionClass::Float32;
    case Type::F64:
      return InstructionClass::Float64;
    case Type::F16:
    case Type::F16x2:
    case Type::BF16:
    case Type::BF16x2:
      return InstructionClass::Half;
    case Type::Pred:
      return InstructionClass::Predicate;
    case Type::None:
      return InstructionClass::Other;
    default:
      return InstructionClass::Integer;
  }
}

}  // namespace kw::ptxvm

#include "lower/value_flow.h"

#include <algorithm>

namespace kw::ptxvm {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int register_of(const Operand& op) { return op.kind == Operand::Kind::Register ? op.reg : -1; }

RegisterClass class_of_register(const FlatKernel& kernel, int r) {
  return class_of(kernel.registers[static_cast<std::size_t>(r)]);
}

bool is_global_access(const FlatInstruction& in) {
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  if (!is_one_of(ast.base(), {"ld", "ldu", "st", "atom", "red", "cp"})) return false;
  return !ast.has("local") && !ast.has("param") && (!ast.has("shared") || ast.base() == "cp");
}

bool is_chain(const FlatInstruction& in) {
  if (in.kind == FlatInstruction::Kind::Move) return true;
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  const std::string_view last = ast.modifiers.back();
  if (ast.base() == "shl") return last == "b32";
  if (!is_one_of(last, {"s32", "u32", "b32"})) return false;
  if (is_one_of(ast.base(), {"mul", "mad"})) return ast.has("lo");
  return (is_one_of(ast.base(), {"add", "sub"}) && !ast.has("cc") && !ast.has("sat")) ||
         ast.base() == "mov";
}

bool is_address_arithmetic(const FlatInstruction& in) {
  if (in.kind == FlatInstruction::Kind::Move) return true;
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  const std::string_view last = ast.modifiers.back();
  if (ast.base() == "cvta") return true;
  if (!is_one_of(last, {"s64", "u64", "b64"})) return false;
  if (is_one_of(ast.base(), {"mul", "mad"})) return ast.has("lo");
  return is_one_of(ast.base(), {"add", "sub", "shl", "mov"});
}

bool is_widening(const FlatInstruction& in, bool* is_unsigned) {
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  const std::string_view last = ast.modifiers.back();
  *is_unsigned = last == "u32";
  if (last != "s32" && last != "u32") return false;
  if (is_one_of(ast.base(), {"mul", "mad"})) return ast.has("wide");
  return ast.base() == "cvt" && ast.modifiers.size() == 3 &&
         is_one_of(ast.modifiers[1], {"s64", "u64", "b64"});
}

bool passes_on(const FlatInstruction& in) {
  if (in.kind == FlatInstruction::Kind::Move) return true;
  return in.kind == FlatInstruction::Kind::Plain &&
         !is_one_of(in.ast->base(),
                    {"ld", "ldu", "atom", "shfl", "vote", "match", "redux", "elect", "bar",
                     "barrier", "ldmatrix", "mma", "wmma", "movmatrix", "activemask"});
}

bool needs_one(const FlatInstruction& in) {
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  return is_one_of(ast.base(), {"selp", "mov"}) ||
         (is_one_of(ast.base(), {"and", "or", "xor"}) && ast.modifiers.back() == "pred");
}

bool is_partial_shuffle(const FlatInstruction& in, const Folds& folds) {
  if (in.kind != FlatInstruction::Kind::Plain || in.ast->base() != "shfl" || !in.ast->has("sync") ||
      in.operands.size() != 5)
    return false;
  const Operand* mask = &in.operands[4];
  if (mask->kind == Operand::Kind::Register) {
    const KnownValue& known = folds.value(mask->reg);
    if (known.kind != KnownValue::Kind::Literal) return true;
    mask = known.operand;
  }
  return !mask->is_constant() || static_cast<std::uint32_t>(mask->value) != 0xffffffffu;
}

int shuffle_result(const FlatInstruction& in) {
  const Operand& d = in.operands[0];
  return register_of(d.kind == Operand::Kind::Pair ? d.elements[0] : d);
}

bool is_copy(const FlatInstruction& in) {
  if (in.operands.size() != 2) return false;
  return in.kind == FlatInstruction::Kind::Move ||
         (in.kind == FlatInstruction::Kind::Plain && in.ast->base() == "mov");
}

}  // namespace kw::ptxvm

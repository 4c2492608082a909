#include "ir/fold.h"

#include <algorithm>
#include <numeric>

#include "ir/slots.h"
#include "ir/special.h"

namespace kw::ptxvm {
namespace {

constexpr std::uint32_t kMany = ~0u, kNone = ~0u - 1;

// By register: the instruction that defines it; kNone, or kMany where folding is not allowed.
std::vector<std::uint32_t> single_definitions(const FlatKernel& kernel,
                                              const std::vector<int>& live_at_entry) {
  std::vector<std::uint32_t> at(kernel.registers.size(), kNone);
  for (std::uint32_t i = 0; i < kernel.code.size(); ++i) {
    for (const int r : registers_written(kernel.code[i])) {
      std::uint32_t& definition = at[static_cast<std::size_t>(r)];
      definition = definition == kNone && kernel.code[i].guard < 0 ? i : kMany;
    }
  }
  for (const int r : live_at_entry) at[static_cast<std::size_t>(r)] = kMany;
  return at;
}

bool is_scalar_move(const FlatInstruction& in) {
  if (in.kind == FlatInstruction::Kind::Move) return true;
  if (in.kind != FlatInstruction::Kind::Plain || in.operands.size() != 2) return false;
  const Instruction& ast = *in.ast;
  if (ast.base() == "mov") return ast.modifiers.size() == 2;
  // Generic addresses of these spaces are the spaces' own.
  return ast.base() == "cvta" && (ast.has("global") || ast.has("const") || ast.has("param")) &&
         ast.modifiers.back() == "u64";
}

KnownValue known_by_move(const FlatInstruction& in, Type type) {
  const Operand& from = in.operands[1];
  const bool literal = from.is_constant() && !from.negated;
  const bool address = from.kind == Operand::Kind::Symbol && from.variable >= 0;
  if (literal || address) return {KnownValue::Kind::Literal, type, &from, 0, 0, false};
  if (from.kind != Operand::Kind::Special) return {};
  const auto which = special_register(from.name);
  if (is_launch_wide(which) || is_index(which))
    return {KnownValue::Kind::Special, type, &from, 0, 0, false};
  return {};
}

// ld.param of one number.
KnownValue known_by_load(const FlatKernel& kernel, const FlatInstruction& in) {
  if (in.kind != FlatInstruction::Kind::Plain || in.ast->base() != "ld" ||
      in.operands.size() != 2 || in.ast->modifiers.size() != 3 || !in.ast->has("param"))
    return {};
  const Type type = type_from_name(in.ast->modifiers[2]);
  const Operand& from = in.operands[1];
  const std::uint32_t bytes = size_of(type);
  if (bytes == 0 || bytes > 8 || from.kind != Operand::Kind::Memory || from.reg >= 0 ||
      from.variable < 0)
    return {};
  const FlatSymbol& symbol = kernel.symbols[static_cast<std::size_t>(from.variable)];
  if (symbol.kind != FlatSymbol::Kind::KernelParameter) return {};
  const std::uint64_t offset = symbol.offset + from.value;
  if (offset > kernel.parameter_bytes || bytes > kernel.parameter_bytes - offset) return {};
  return {KnownValue::Kind::Parameter, type, nullptr, offset, bytes, is_signed(type) && bytes == 1};
}

// Follows copies to their source, and shortens the way for the next one.
int root(std::vector<int>& original, int r) {
  const auto next = [&](int of) -> int& { return original[static_cast<std::size_t>(of)]; };
  while (next(r) != r) {
    next(r) = next(next(r));
    r = next(r);
  }
  return r;
}

}  // namespace

Folds find_folds(const FlatKernel& kernel, const Cfg& cfg, bool nothing) {
  Folds out;
  const std::size_t registers = kernel.registers.size();
  out.original.resize(registers);
  std::iota(out.original.begin(), out.original.end(), 0);
  out.known.resize(registers);
  out.silent.resize(kernel.code.size());
  out.once.resize(registers);
  const auto live_at_entry = registers_live_at_entry(kernel, cfg);
  if (nothing || !live_at_entry) return out;
  const std::vector<std::uint32_t> definition = single_definitions(kernel, *live_at_entry);
  const auto once = [&](int r) { return definition[static_cast<std::size_t>(r)] < kNone; };
  for (std::size_t r = 0; r < registers; ++r) out.once[r] = once(static_cast<int>(r));

  for (std::uint32_t i = 0; i < kernel.code.size(); ++i) {
    const FlatInstruction& in = kernel.code[i];
    if (in.operands.size() != 2) continue;
    const Operand &to = in.operands[0], &from = in.operands[1];
    if (to.kind != Operand::Kind::Register || to.negated || !once(to.reg)) continue;
    const auto d = static_cast<std::size_t>(to.reg);
    const RegisterClass cls = class_of(kernel.registers[d]);
    if (cls == RegisterClass::Mask || cls == RegisterClass::W128) continue;
    if (is_scalar_move(in)) {
      const Type type = in.kind == FlatInstruction::Kind::Move
                            ? kernel.registers[d]
                            : type_from_name(in.ast->modifiers.back());
      if (size_of(type) != lane_bytes(cls)) continue;
      if (from.kind == Operand::Kind::Register) {
        const bool same = !from.negated && once(from.reg) &&
                          class_of(kernel.registers[static_cast<std::size_t>(from.reg)]) == cls;
        const int source = same ? root(out.original, from.reg) : to.reg;
        if (source == to.reg) continue;  // also copies in a circle, which no path reaches
        out.original[d] = source;
        out.silent[i] = true;
        continue;
      }
      out.known[d] = known_by_move(in, type);
      if (out.known[d].kind == KnownValue::Kind::Special && lane_bytes(cls) != 4) out.known[d] = {};
    } else if (const KnownValue value = known_by_load(kernel, in);
               std::max(2u, value.bytes) == lane_bytes(cls)) {
      out.known[d] = value;
    }
    out.silent[i] = out.known[d].kind != KnownValue::Kind::Unknown;
  }
  for (std::size_t r = 0; r < registers; ++r)
    out.original[r] = root(out.original, static_cast<int>(r));
  return out;
}

}  // namespace kw::ptxvm

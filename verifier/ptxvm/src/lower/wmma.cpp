#include <array>
#include <cstdio>

#include "exec/operands.h"
#include "lower/lowering.h"

namespace kw::ptxvm {
namespace {

struct Parsed {
  unsigned m = 0, n = 0, k = 0;
  std::vector<Type> types;
  std::vector<std::string> layouts;
  bool known = true;
};
Parsed parse(const Instruction& in, std::size_t first) {
  Parsed out;
  for (std::size_t i = first; i < in.modifiers.size(); ++i) {
    const std::string& m = in.modifiers[i];
    if (const Type t = type_from_name(m); t != Type::None) {
      out.types.push_back(t);
    } else if (m == "row" || m == "col") {
      out.layouts.push_back(m);
    } else if (std::sscanf(m.c_str(), "m%un%uk%u", &out.m, &out.n, &out.k) == 3) {
      continue;
    } else if (m != "sync" && m != "aligned" && m != "global" && !m.starts_with("shared") &&
               m != "satfinite" && m != "rn") {
      out.known = false;
    }
  }
  return out;
}

// The shapes that hold elements of a type.
bool fits(const Parsed& p, Type element) {
  if (element == Type::TF32) return p.m == 16 && p.n == 16 && p.k == 8;
  if (element == Type::F64) return p.m == 8 && p.n == 8 && p.k == 4;
  return p.k == 16 &&
         ((p.m == 16 && p.n == 16) || (p.m == 32 && p.n == 8) || (p.m == 8 && p.n == 32));
}

}  // namespace

Status Lowering::registers_of(In in, const Operand& op, std::uint32_t bytes, bool result,
                              std::uint32_t* count) {
  const std::span<const Operand> all = op.kind == Operand::Kind::Vector
                                           ? std::span<const Operand>(op.elements)
                                           : std::span<const Operand>(&op, 1);
  *count = static_cast<std::uint32_t>(all.size());
  for (const Operand& e : all) {
    Location at = 0;
    if (result) {
      KW_ASSIGN(at, destination(in, e, bytes, Type::B32));
    } else {
      KW_ASSIGN(at, source(in, e, bytes, Type::B32));
    }
    out_.extra.push_back(at);
  }
  return {};
}

Status Lowering::wmma(In in) {
  const Instruction& ast = *in.ast;
  const std::string op = ast.modifiers.size() > 2 ? ast.modifiers[1] : "";
  if (op == "mma") return wmma_mma(in);
  if (op != "load" && op != "store") return unsupported(in);
  const std::string which = ast.modifiers[2];
  const Parsed p = parse(ast, 3);
  if (!p.known || p.types.size() != 1 || p.layouts.size() != 1 || in.operands.size() < 2)
    return unsupported(in);
  const bool store = op == "store", accumulator = which == "c" || which == "d";
  const Type type = p.types[0];
  const Type element = accumulator && type == Type::F32 && p.k == 8 ? Type::TF32 : type;
  if (!fits(p, element)) return unsupported(in);
  const std::uint32_t rows = which == "b" ? p.k : p.m, columns = which == "a" ? p.k : p.n;
  const std::uint32_t bytes = size_of(type), wide = type == Type::F64 ? 8 : 4;
  const Operand& memory = in.operands[store ? 0 : 1];
  const Operand& registers = in.operands[store ? 1 : 0];
  KW_ASSIGN(const Address at, address(in, memory));
  KW_ASSIGN(const Place where, place(in, at));
  Location stride = constant(p.layouts[0] == "row" ? columns : rows, 4);
  if (in.operands.size() > 2) {
    KW_ASSIGN(stride, source(in, in.operands[2], 4, Type::U32));
  }
  const auto extra = static_cast<std::uint32_t>(out_.extra.size());
  for (const std::uint32_t field :
       {rows, columns, 0u, bytes, wide, p.layouts[0] == "row" ? 1u : 0u})
    out_.extra.push_back(field);
  std::uint32_t count = 0;
  KW_RETURN_IF_ERROR(registers_of(in, registers, wide, !store, &count));
  if (count * wide * 32 < rows * columns * bytes) return malformed(in, "too few registers");
  KW_RETURN_IF_ERROR(emit3(in, store ? "$wmma.store" : "$wmma.load", 0, at.base, stride));
  Ins& ins = out_.code.back();
  ins.extra = extra;
  ins.imm = at.offset;
  ins.y = AccessBits::pack(
      bytes, 1, where.space,
      (store ? AccessBits::kStore : 0u) | (at.narrow ? AccessBits::kAddress32 : 0u));
  ins.cache = out_.cache_slots++;
  return {};
}

// wmma.mma.sync.aligned.ALAYOUT.BLAYOUT.SHAPE.D{.A.B}.C{.satfinite} d, a, b, c
Status Lowering::wmma_mma(In in) {
  const Instruction& ast = *in.ast;
  const Parsed p = parse(ast, 2);
  if (!p.known || in.operands.size() != 4 || (p.types.size() != 2 && p.types.size() != 4))
    return unsupported(in);
  const Type element = p.types.size() == 2 ? Type::F16 : p.types[1];
  if (p.types.front() != p.types.back() || !fits(p, element) ||
      (p.types.size() == 4 && p.types[1] != p.types[2]))
    return unsupported(in);
  const std::string name = fmt::format("$wmma.{}.{}", type_name(element), type_name(p.types[0]));
  if (find_handler(name.c_str()) < 0) return unsupported(in);
  const std::uint32_t wide = element == Type::F64 ? 8 : 4;
  const auto extra = static_cast<std::uint32_t>(out_.extra.size());
  for (const std::uint32_t field : {p.m, p.n, p.k, 0u, 0u, 0u}) out_.extra.push_back(field);
  std::array<std::uint32_t, 4> counts{};
  for (std::size_t i = 0; i < 4; ++i)
    KW_RETURN_IF_ERROR(registers_of(in, in.operands[i], wide, i == 0, &counts[i]));
  const std::uint32_t result_bytes = p.types[0] == Type::F16 ? 2 : wide, bytes = size_of(element);
  if (counts[0] != counts[3] || counts[0] * wide * 32 < p.m * p.n * result_bytes ||
      counts[1] * wide * 32 < p.m * p.k * bytes || counts[2] * wide * 32 < p.k * p.n * bytes)
    return malformed(in, "the registers do not match the shape");
  out_.extra[extra + WmmaFields::kRegistersC] = counts[0];
  out_.extra[extra + WmmaFields::kRegistersA] = counts[1];
  out_.extra[extra + WmmaFields::kRegistersB] = counts[2];
  KW_ASSIGN(Ins* const ins, emit(in, name));
  ins->extra = extra;
  ins->z = ast.has("satfinite") ? 1 : 0;
  return {};
}

}  // namespace kw::ptxvm

#include <array>
#include <cstdio>

#include "lower/lowering.h"

namespace kw::ptxvm {

Status Lowering::matrix(In in) {
  const Instruction& ast = *in.ast;
  if (ast.base() == "ldmatrix") return ldmatrix(in, false);
  if (ast.base() == "stmatrix") return ldmatrix(in, true);
  if (ast.base() == "mma") return mma(in);
  if (ast.opcode == "movmatrix.sync.aligned.m8n8.trans.b16" && in.operands.size() == 2) {
    KW_ASSIGN(const Location d, destination(in, in.operands[0], 4, Type::B32));
    KW_ASSIGN(const Location a, source(in, in.operands[1], 4, Type::B32));
    return emit3(in, "$movmatrix", d, a);
  }
  return unsupported(in);
}

Status Lowering::ldmatrix(In in, bool store) {
  const Instruction& ast = *in.ast;
  if (in.operands.size() != 2 || !ast.has("m8n8") || !ast.has("b16") || ast.has("shared::cluster"))
    return unsupported(in);
  const Operand& registers = in.operands[store ? 1 : 0];
  const std::uint32_t count = ast.has("x4") ? 4 : ast.has("x2") ? 2 : 1;
  std::vector<const Operand*> elements;
  if (registers.kind == Operand::Kind::Vector) {
    for (const Operand& e : registers.elements) elements.push_back(&e);
  } else {
    elements.push_back(&registers);
  }
  if (elements.size() != count) return malformed(in, "the vector's length does not match");
  KW_ASSIGN(const Address at, address(in, in.operands[store ? 0 : 1]));
  KW_ASSIGN(const Place where, place(in, at));
  const auto extra = static_cast<std::uint32_t>(out_.extra.size());
  for (const Operand* e : elements) {
    Location location = 0;
    if (store) {
      KW_ASSIGN(location, source(in, *e, 4, Type::B32));
    } else {
      KW_ASSIGN(location, destination(in, *e, 4, Type::B32));
    }
    out_.extra.push_back(location);
  }
  KW_RETURN_IF_ERROR(emit3(in, store ? "$stmatrix" : "$ldmatrix", 0, at.base));
  Ins& ins = out_.code.back();
  ins.imm = at.offset;
  ins.x = count;
  ins.z = ast.has("trans") ? 1 : 0;
  ins.extra = extra;
  ins.cache = out_.cache_slots++;
  ins.y = AccessBits::pack(
      16, 1, where.space,
      (store ? AccessBits::kStore : 0u) | (at.narrow ? AccessBits::kAddress32 : 0u));
  return {};
}

// mma.sync.aligned.SHAPE.row.col[.satfinite].D.A.B.C d, a, b, c
Status Lowering::mma(In in) {
  const Instruction& ast = *in.ast;
  std::string shape;
  std::vector<Type> types;
  bool saturate = false;
  for (std::size_t i = 1; i < ast.modifiers.size(); ++i) {
    const std::string& m = ast.modifiers[i];
    if (const Type t = type_from_name(m); t != Type::None) {
      types.push_back(t);
    } else if (m[0] == 'm' && m.find('n') != std::string::npos) {
      shape = m;
    } else if (m == "satfinite") {
      saturate = true;
    } else if (m != "sync" && m != "aligned" && m != "row" && m != "col") {
      return unsupported(in);
    }
  }
  if (types.size() != 4 || in.operands.size() != 4) return unsupported(in);
  if (shape == "m8n8k4" && types[1] == Type::F16 && types[2] == Type::F16)
    return quad_mma(in, types);
  if (types[0] != types[3]) return unsupported(in);
  if (!ast.has("row") || !ast.has("col")) return unsupported(in);
  const std::string name = fmt::format("$mma.{}.{}.{}.{}", shape, type_name(types[0]),
                                       type_name(types[1]), type_name(types[2]));
  if (find_handler(name.c_str()) < 0) return unsupported(in);

  // Registers per operand, from the shape: every lane holds 1/32 of each matrix.
  unsigned m = 0, n = 0, k = 0;
  if (std::sscanf(shape.c_str(), "m%un%uk%u", &m, &n, &k) != 3) return unsupported(in);
  const auto registers = [](unsigned elements, Type type) {
    const unsigned bits = 8 * size_of(type);
    return elements * bits / (32 * (type == Type::F64 ? 64 : 32));
  };
  const std::array<unsigned, 4> counts{registers(m * n, types[0]), registers(m * k, types[1]),
                                       registers(k * n, types[2]), registers(m * n, types[3])};
  const auto extra = static_cast<std::uint32_t>(out_.extra.size());
  for (std::size_t i = 0; i < 4; ++i) {
    const Operand& op = in.operands[i];
    const std::size_t have = op.kind == Operand::Kind::Vector ? op.elements.size() : 1;
    if (have != counts[i])
      return malformed(in,
                       fmt::format("operand {} has {} registers, {} wanted", i, have, counts[i]));
    const std::uint32_t bytes = types[i] == Type::F64 ? 8 : 4;
    for (std::size_t e = 0; e < have; ++e) {
      const Operand& element = op.kind == Operand::Kind::Vector ? op.elements[e] : op;
      Location location = 0;
      if (i == 0) {
        KW_ASSIGN(location, destination(in, element, bytes, Type::B32));
      } else {
        KW_ASSIGN(location, source(in, element, bytes, Type::B32));
      }
      out_.extra.push_back(location);
    }
  }
  KW_ASSIGN(Ins* const ins, emit(in, name));
  ins->extra = extra;
  ins->z = saturate ? 1 : 0;
  return {};
}

// mma.sync.aligned.m8n8k4.ALAYOUT.BLAYOUT.D.f16.f16.C
Status Lowering::quad_mma(In in, const std::vector<Type>& types) {
  std::vector<std::string> layouts;
  for (const std::string& m : in.ast->modifiers) {
    if (m == "row" || m == "col") layouts.push_back(m);
  }
  const bool half_c = types[3] == Type::F16, half_d = types[0] == Type::F16;
  if (layouts.size() != 2 || (!half_c && types[3] != Type::F32) ||
      (!half_d && types[0] != Type::F32) || (half_d && !half_c))
    return unsupported(in);
  // An H100's sums of this form are not understood.
  if (half_d && layouts[0] == "row" && layouts[1] == "row") return unsupported(in);
  const auto extra = static_cast<std::uint32_t>(out_.extra.size());
  const std::array<std::uint32_t, 4> wanted{half_d ? 4u : 8u, 2, 2, half_c ? 4u : 8u};
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint32_t count = 0;
    KW_RETURN_IF_ERROR(registers_of(in, in.operands[i], 4, i == 0, &count));
    if (count != wanted[i]) return malformed(in, "the registers do not match the shape");
  }
  KW_ASSIGN(Ins* const ins, emit(in, "$mma.m8n8k4"));
  ins->extra = extra;
  ins->z = (layouts[0] == "row" ? 1u : 0u) | (layouts[1] == "col" ? 2u : 0u) | (half_c ? 4u : 0u) |
           (half_d ? 8u : 0u);
  return {};
}

}  // namespace kw::ptxvm

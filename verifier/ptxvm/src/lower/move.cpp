#include <array>

#include "exec/warp.h"
#include "ir/special.h"
#include "kw/ptxvm/memory.h"
#include "lower/lowering.h"

namespace kw::ptxvm {

Status Lowering::special(In in, const std::string& name, Location d, std::uint32_t bytes) {
  using enum SpecialRegister;
  if (const auto which = special_register(name)) {
    out_.uses_grid_barrier |= which == GridBarrierLow || which == GridBarrierHigh;
    const bool wide = which == Clock64 || which == GlobalTimer;
    const std::uint32_t have = wide ? 8 : 4;
    const Location at = have == bytes ? d : scratch();
    KW_RETURN_IF_ERROR(emit3(in, wide ? "$sreg64" : "$sreg", at, 0));
    out_.code.back().x = static_cast<std::uint32_t>(*which);
    return have == bytes ? Status{} : resize(in, at, have, d, bytes, false);
  }
  if (name == "%is_explicit_cluster") {
    return bytes == 1 ? emit3(in, "mov.pred", d, constant(0, 1)) : unsupported(in, name);
  }
  return unsupported(in, "special register " + name);
}

Status Lowering::mov(In in) {
  if (in.operands.size() != 2) return malformed(in, "two operands are wanted");
  const Type type = type_modifier(*in.ast);
  const Operand &to = in.operands[0], &from = in.operands[1];
  const std::uint32_t bytes = type == Type::Pred ? 1 : size_of(type);
  if (bytes == 0) return malformed(in, "a type is wanted");
  const bool packs = from.kind == Operand::Kind::Vector, unpacks = to.kind == Operand::Kind::Vector;
  if (packs || unpacks) {
    const auto& elements = packs ? from.elements : to.elements;
    const auto count = static_cast<std::uint32_t>(elements.size());
    if (packs == unpacks || count < 2 || count > 4 || bytes % count != 0) return unsupported(in);
    const std::uint32_t part = bytes / count;
    const std::uint32_t register_bytes = part == 1 ? 2 : part;
    std::array<Location, 4> parts{};
    for (std::uint32_t i = 0; i < count; ++i) {
      if (packs) {
        KW_ASSIGN(parts[i], source(in, elements[i], register_bytes, type));
      } else {
        KW_ASSIGN(parts[i], destination(in, elements[i], register_bytes, type));
      }
    }
    Location whole = 0;
    if (packs) {
      KW_ASSIGN(whole, destination(in, to, bytes, type));
    } else {
      KW_ASSIGN(whole, source(in, from, bytes, type));
    }
    KW_ASSIGN(Ins* const ins,
              emit(in, fmt::format("{}.{}x{}", packs ? "$pack" : "$unpack", count, 8 * part)));
    ins->d = whole;
    ins->a = parts[0];
    ins->b = parts[1];
    ins->c = parts[2];
    ins->x = parts[3];
    return {};
  }
  if (from.kind == Operand::Kind::Special) {
    KW_ASSIGN(const Location d, destination(in, to, bytes, type));
    return special(in, from.name, d, bytes);
  }
  KW_ASSIGN(const Location d, destination(in, to, bytes, type));
  KW_ASSIGN(const Location a, source(in, from, bytes, type));
  return emit3(in, bytes == 1 ? "mov.pred" : fmt::format("mov.b{}", 8 * bytes), d, a);
}

// Generic addresses of shared and local memory lie in windows of their own; global, constant and
// parameter addresses are generic as they are.
Status Lowering::cvta(In in) {
  if (in.operands.size() != 2 || type_modifier(*in.ast) != Type::U64) return unsupported(in);
  const bool to_space = in.ast->has("to");
  std::uint64_t window = 0;
  if (in.ast->has("shared") || in.ast->has("shared::cta")) window = kSharedWindow;
  if (in.ast->has("local")) window = kLocalWindow;
  if (in.ast->has("shared::cluster")) return unsupported(in);
  KW_ASSIGN(const Location d, destination(in, in.operands[0], 8, Type::U64));
  KW_ASSIGN(const Location a, source(in, in.operands[1], 8, Type::U64));
  if (window == 0) return emit3(in, "mov.b64", d, a);
  return emit3(in, to_space ? "sub.u64" : "add.u64", d, a, constant(window, 8));
}

Status Lowering::isspacep(In in) {
  if (in.operands.size() != 2) return malformed(in, "two operands are wanted");
  std::uint64_t begin = 0, size = kWindowBytes;
  if (in.ast->has("global")) {
    begin = kGlobalWindowBegin;
    size = kGlobalWindowEnd - kGlobalWindowBegin;
  } else if (in.ast->has("shared") || in.ast->has("shared::cta") ||
             in.ast->has("shared::cluster")) {
    begin = kSharedWindow;
  } else if (in.ast->has("local")) {
    begin = kLocalWindow;
  } else if (in.ast->has("param") || in.ast->has("param::entry")) {
    begin = kParameterWindow;
  } else {
    return unsupported(in);
  }
  KW_ASSIGN(const Location p, destination(in, in.operands[0], 1, Type::Pred));
  KW_ASSIGN(const Location a, source(in, in.operands[1], 8, Type::U64));
  const Location offset = scratch();
  KW_RETURN_IF_ERROR(emit3(in, "sub.u64", offset, a, constant(begin, 8)));
  return emit3(in, "setp.lt.u64", p, offset, constant(size, 8));
}

}  // namespace kw::ptxvm

#include <algorithm>
#include <utility>

#include "exec/operands.h"
#include "lower/lowering.h"

namespace kw::ptxvm {

Status Lowering::warp_op(In in) {
  const Instruction& ast = *in.ast;
  const std::string& base = ast.base();
  const bool sync = ast.has("sync");
  const auto& ops = in.operands;
  if (base == "activemask") {
    if (ops.size() != 1) return malformed(in, "one operand is wanted");
    KW_ASSIGN(const Location d, destination(in, ops[0], 4, Type::B32));
    return emit3(in, "$activemask", d, 0);
  }
  // All others: results, sources, member mask. Without .sync the running lanes are the members.
  const auto members = [&](std::size_t index) -> Result<std::uint32_t> {
    Location at = constant(0, 4);
    if (sync) {
      if (ops.size() != index + 1) return malformed(in, "wrong number of operands");
      KW_ASSIGN(at, source(in, ops[index], 4, Type::B32));
    }
    out_.extra.push_back(at);
    return static_cast<std::uint32_t>(out_.extra.size()) - 1;
  };
  const auto need = [&](std::size_t count) { return ops.size() >= count; };
  const bool pair = !ops.empty() && ops[0].kind == Operand::Kind::Pair;
  if (ops.empty()) return malformed(in, "operands are wanted");
  const Operand& first = pair ? ops[0].elements[0] : ops[0];
  Location predicate = 0;
  if (pair) {
    KW_ASSIGN(predicate, destination(in, ops[0].elements[1], 1, Type::Pred));
  }
  std::string name = "$" + base;
  const auto begin = static_cast<std::ptrdiff_t>(out_.code.size());
  bool negated = false;
  Location d = 0, a = 0, b = 0, c = 0;
  std::size_t mask_at = 2;
  if (base == "shfl") {
    if (!need(4)) return malformed(in, "wrong number of operands");
    const char* mode = ast.has("up")     ? "up"
                       : ast.has("down") ? "down"
                       : ast.has("bfly") ? "bfly"
                       : ast.has("idx")  ? "idx"
                                         : "";
    name += std::string(".") + mode;
    KW_ASSIGN(d, destination(in, first, 4, Type::B32));
    KW_ASSIGN(a, source(in, ops[1], 4, Type::B32));
    KW_ASSIGN(b, source(in, ops[2], 4, Type::U32));
    KW_ASSIGN(c, source(in, ops[3], 4, Type::U32));
    mask_at = 4;
  } else if (base == "vote") {
    if (!need(2)) return malformed(in, "wrong number of operands");
    const bool ballot = ast.has("ballot");
    name += ballot ? ".ballot" : ast.has("all") ? ".all" : ast.has("any") ? ".any" : ".uni";
    KW_ASSIGN(d, destination(in, first, ballot ? 4 : 1, ballot ? Type::B32 : Type::Pred));
    Operand predicate_operand = ops[1];
    negated = std::exchange(predicate_operand.negated, false);
    KW_ASSIGN(a, source(in, predicate_operand, 1, Type::Pred));
  } else if (base == "match") {
    if (!need(2)) return malformed(in, "wrong number of operands");
    const Type type = type_modifier(ast);
    name += fmt::format(".{}.{}", ast.has("all") ? "all" : "any", type_name(type));
    KW_ASSIGN(d, destination(in, first, 4, Type::B32));
    KW_ASSIGN(a, source(in, ops[1], type == Type::B64 ? 8 : 4, type));
  } else if (base == "redux") {
    if (!need(2) || ast.modifiers.size() != 4) return unsupported(in);
    name += fmt::format(".{}.{}", ast.modifiers[2], ast.modifiers[3]);
    KW_ASSIGN(d, destination(in, first, 4, Type::B32));
    KW_ASSIGN(a, source(in, ops[1], 4, Type::B32));
  } else {  // elect
    KW_ASSIGN(d, destination(in, first, 4, Type::B32));
    if (!pair) return malformed(in, "d|p is wanted");
    mask_at = 1;
  }
  KW_ASSIGN(const std::uint32_t extra, members(mask_at));
  const bool mask_lasts = !sync || ops[mask_at].kind == Operand::Kind::Register ||
                          ops[mask_at].kind == Operand::Kind::Integer;
  if (static_cast<std::size_t>(begin) != out_.code.size() && mask_lasts) {
    // A source was made in a scratch slot, which does not outlast a wait: wait before.
    KW_RETURN_IF_ERROR(emit(in, "$warpsync").map([](Ins*) {}));
    out_.code.back().extra = extra;
    std::rotate(out_.code.begin() + begin, out_.code.end() - 1, out_.code.end());
    std::rotate(out_.handlers.begin() + begin, out_.handlers.end() - 1, out_.handlers.end());
  }
  if (base == "shfl") name = shuffle_name(name, b, c, out_.extra[extra]);
  KW_RETURN_IF_ERROR(emit3(in, name, d, a, b, c));
  Ins& ins = out_.code.back();
  ins.extra = extra;
  ins.y = predicate;
  ins.z = pair || negated ? 1 : 0;
  return {};
}

// A handler of its own for a distance that is a power of two, where all lanes take part in one
// segment, and for one source lane.
std::string Lowering::shuffle_name(const std::string& name, Location b, Location c,
                                   Location members) const {
  const auto by = constant_at(b), bounds = constant_at(c), mask = constant_at(members);
  if (!by || !bounds || !mask || *mask != kFullMask) return name;
  if (*bounds != (name == "$shfl.up" ? 0u : kLanes - 1)) return name;
  if (name == "$shfl.idx") return name + ".same";
  const std::string quick = fmt::format("{}.{}", name, *by);
  return find_handler(quick.c_str()) < 0 ? name : quick;
}

Status Lowering::barrier(In in) {
  const Instruction& ast = *in.ast;
  const auto& ops = in.operands;
  if (ast.has("warp")) {  // bar.warp.sync mask
    if (ops.size() != 1) return malformed(in, "one operand is wanted");
    KW_ASSIGN(const Location mask, source(in, ops[0], 4, Type::B32));
    KW_ASSIGN(Ins* const ins, emit(in, "$warpsync"));
    ins->extra = static_cast<std::uint32_t>(out_.extra.size());
    out_.extra.push_back(mask);
    return {};
  }
  if (ast.has("cluster")) return unsupported(in, "clusters");
  BarrierKind kind = BarrierKind::Sync;
  if (ast.has("arrive")) kind = BarrierKind::Arrive;
  if (ast.has("red"))
    kind = ast.has("popc")  ? BarrierKind::RedPopc
           : ast.has("and") ? BarrierKind::RedAnd
                            : BarrierKind::RedOr;
  const bool reduces = ast.has("red");
  const std::size_t first = reduces ? 1 : 0, last = ops.size() - (reduces ? 1 : 0);
  if (ops.size() < first + 1 + (reduces ? 1 : 0) || last - first > 2)
    return malformed(in, "wrong number of operands");
  std::uint32_t flags = ast.base() == "bar" || ast.has("aligned") ? BarrierBits::kAligned : 0;
  Location d = 0, count = 0, predicate = 0;
  if (reduces) {
    const bool popc = kind == BarrierKind::RedPopc;
    KW_ASSIGN(d, destination(in, ops[0], popc ? 4 : 1, popc ? Type::U32 : Type::Pred));
    Operand vote = ops[last];
    if (std::exchange(vote.negated, false)) flags |= BarrierBits::kNegated;
    KW_ASSIGN(predicate, source(in, vote, 1, Type::Pred));
  }
  KW_ASSIGN(const Location number, source(in, ops[first], 4, Type::U32));
  if (last - first == 2) {
    flags |= BarrierBits::kCounted;
    KW_ASSIGN(count, source(in, ops[first + 1], 4, Type::U32));
  }
  KW_RETURN_IF_ERROR(emit3(in, "$bar", d, number, count, predicate));
  out_.code.back().x = static_cast<std::uint32_t>(kind);
  out_.code.back().z = flags;
  return {};
}

}  // namespace kw::ptxvm

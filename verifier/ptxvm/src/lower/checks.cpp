// Instructions around others that the checks of values add: first before the guard, then before and
// after the instruction itself.

#include "lower/checks.h"

#include <array>

#include "lower/lowering.h"
#include "lower/value_flow.h"

namespace kw::ptxvm {

int Lowering::checked_register(const Operand& op) const {
  const int r = register_of(op);
  return r < 0 || folds_.is_known(r) ? -1 : folds_.of(r);
}

bool Lowering::is_literal(const Operand& op) const {
  const int r = register_of(op);
  if (r < 0) return op.is_constant();
  return folds_.value(r).kind == KnownValue::Kind::Literal;
}

Lowering::Location Lowering::unwritten(int reg) const {
  return checks_->maybe_unwritten[static_cast<std::size_t>(folds_.of(reg))];
}

Status Lowering::check_guard(In in) {
  if (!checks_ || in.guard < 0) return {};
  return check_written(in, in.guard);
}

Status Lowering::check_written(In in, int reg) {
  const Location lanes = unwritten(reg);
  if (lanes == 0) return {};
  return emit3(in, "$written.use", 0, lanes);
}

Status Lowering::check_before(In in) {
  if (!checks_) return {};
  const bool plain = in.kind == FlatInstruction::Kind::Plain;
  const bool stores = plain && is_one_of(in.ast->base(), {"st", "red", "atom"}) &&
                      !in.ast->has("shared") && !in.ast->has("local") && !in.ast->has("param");
  for (const Operand& op : in.operands) {
    if (op.kind == Operand::Kind::Memory && op.reg >= 0)
      KW_RETURN_IF_ERROR(check_written(in, op.reg));
  }
  if (stores) {
    for (const int r : registers_read(in)) {
      if (r != in.guard) KW_RETURN_IF_ERROR(check_written(in, r));
    }
  }
  if (!plain && in.kind != FlatInstruction::Kind::Move) return {};
  if (is_global_access(in)) {
    for (const Operand& op : in.operands) {
      if (op.kind != Operand::Kind::Memory || op.reg < 0) continue;
      if (folds_.is_known(op.reg)) continue;
      const Location wrong = checks_->address[static_cast<std::size_t>(folds_.of(op.reg))];
      if (wrong != 0) KW_RETURN_IF_ERROR(emit3(in, "$index.use", 0, wrong));
    }
    return {};
  }
  if (in.operands.empty()) return {};
  const int d = register_of(in.operands[0]);
  if (d < 0) return {};
  const auto slot = [&](const std::vector<std::uint32_t>& slots, const Operand& op) {
    const int r = checked_register(op);
    return r < 0 ? 0 : slots[static_cast<std::size_t>(r)];
  };
  if (const Location to = slot(checks_->chain, in.operands[0]); to != 0) {
    if (!is_chain(in)) return emit3(in, "$index.fresh", to, 0);
    const std::string name = in.kind == FlatInstruction::Kind::Move ? "mov" : in.ast->base();
    std::array<Location, 3> values{}, exact{};
    std::uint32_t literals = 0;
    for (std::size_t k = 1; k < in.operands.size() && k <= 3; ++k) {
      const Operand& op = in.operands[k];
      if (register_of(op) < 0 && !op.is_constant() && op.kind != Operand::Kind::Special)
        return emit3(in, "$index.fresh", to, 0);
      KW_ASSIGN(values[k - 1], source(in, op, 4, Type::S32));
      exact[k - 1] = slot(checks_->chain, op);
      if (is_literal(op)) literals |= 1u << (k - 1);
    }
    KW_RETURN_IF_ERROR(emit3(in, "$index." + name, to, values[0], values[1], values[2]));
    Ins& ins = out_.code.back();
    ins.x = checks_->exact[static_cast<std::size_t>(d)];
    ins.z = literals;
    ins.extra = static_cast<std::uint32_t>(out_.extra.size());
    for (const Location e : exact) out_.extra.push_back(e);
    return {};
  }
  if (const Location to = slot(checks_->address, in.operands[0]); to != 0) {
    if (checks_->aliased[static_cast<std::size_t>(d)]) return {};
    bool is_unsigned = false;
    const bool widens = is_widening(in, &is_unsigned);
    if (!widens && !is_address_arithmetic(in)) return emit3(in, "$index.clear", to, 0);
    std::array<Location, 3> from{}, values{};
    for (std::size_t k = 1; k < in.operands.size() && k <= 3; ++k) {
      const Operand& op = in.operands[k];
      from[k - 1] = widens && k < 3 ? slot(checks_->chain, op) : slot(checks_->address, op);
      if (widens && k < 3 && from[k - 1] != 0) {
        KW_ASSIGN(values[k - 1], source(in, op, 4, Type::S32));
      }
    }
    if (!widens) return emit3(in, "$index.flow", to, from[0], from[1], from[2]);
    KW_RETURN_IF_ERROR(emit3(in, is_unsigned ? "$index.widen.u32" : "$index.widen.s32", to,
                             values[0], values[1], from[2]));
    out_.code.back().extra = static_cast<std::uint32_t>(out_.extra.size());
    out_.extra.push_back(from[0]);
    out_.extra.push_back(from[1]);
  }
  return {};
}

// Which lanes the shuffle took from is told after it, when all that take part are there.
Status Lowering::check_shuffle(In in) {
  const int d = shuffle_result(in);
  const Location lanes = unwritten(d);
  const int a = checked_register(in.operands[1]);
  std::array<Location, 3> where{};  // lane, clamp, members
  bool kept = true;
  for (std::size_t k = 0; k < where.size(); ++k) {
    KW_ASSIGN(where[k], source(in, in.operands[k + 2], 4, Type::U32));
    kept = kept && where[k] != slots_.offset[static_cast<std::size_t>(d)];
  }
  if (!kept) return emit3(in, "$written.set", lanes, 0);
  const Instruction& ast = *in.ast;
  const char* mode = ast.has("up")     ? "up"
                     : ast.has("down") ? "down"
                     : ast.has("bfly") ? "bfly"
                                       : "idx";
  KW_RETURN_IF_ERROR(emit3(in, fmt::format("$written.shfl.{}", mode), lanes,
                           a < 0 ? 0 : unwritten(a), where[0], where[1]));
  out_.code.back().extra = static_cast<std::uint32_t>(out_.extra.size());
  out_.extra.push_back(where[2]);
  return {};
}

Status Lowering::check_after(In in) {
  if (!checks_) return {};
  const bool copies = is_copy(in) && register_of(in.operands[1]) >= 0;
  std::array<Location, 3> from{};
  std::size_t known = 0;
  if (passes_on(in)) {
    for (const int r : registers_read(in)) {
      const Location lanes = unwritten(r);
      if (lanes != 0 && r != in.guard && known < from.size()) from[known++] = lanes;
    }
  }
  // With a source that is certainly written, one is enough from the start.
  const bool good = known == 0 || (needs_one(in) && known < registers_read(in).size() && !copies);
  for (const int r : registers_written(in)) {
    const Location lanes = unwritten(r);
    if (lanes == 0) continue;
    if (is_partial_shuffle(in, folds_) && r == shuffle_result(in)) {
      KW_RETURN_IF_ERROR(check_shuffle(in));
      continue;
    }
    KW_RETURN_IF_ERROR(good ? emit3(in, "$written.set", lanes, 0)
                            : emit3(in, "$written.flow", lanes, from[0], from[1], from[2]));
    if (!good) out_.code.back().x = copies ? 2 : needs_one(in) ? 1 : 0;
  }
  return {};
}

}  // namespace kw::ptxvm

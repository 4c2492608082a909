#include "lower/checks.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "lower/lowering.h"

namespace kw::ptxvm {
namespace {

using Flags = std::vector<bool>;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

int register_of(const Operand& op) { return op.kind == Operand::Kind::Register ? op.reg : -1; }

RegisterClass class_of_register(const FlatKernel& kernel, int r) {
  return class_of(kernel.registers[static_cast<std::size_t>(r)]);
}

// ld, st and their kin whose address is a global one.
bool is_global_access(const FlatInstruction& in) {
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  if (!is_one_of(ast.base(), {"ld", "ldu", "st", "atom", "red", "cp"})) return false;
  return !ast.has("local") && !ast.has("param") && (!ast.has("shared") || ast.base() == "cp");
}

// 32-bit arithmetic in which an index is made.
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

// 64-bit arithmetic that only moves an address on.
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

// Where 32 bits become 64. *is_unsigned says how they are read.
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

// Whether the results are as good as the registers read. What comes from memory or from other lanes
// is taken as written.
bool passes_on(const FlatInstruction& in) {
  if (in.kind == FlatInstruction::Kind::Move) return true;
  return in.kind == FlatInstruction::Kind::Plain &&
         !is_one_of(in.ast->base(),
                    {"ld", "ldu", "atom", "shfl", "vote", "match", "redux", "elect", "bar",
                     "barrier", "ldmatrix", "mma", "wmma", "movmatrix", "activemask"});
}

// Results that one written source is enough for: selections, packing, logic of predicates.
bool needs_one(const FlatInstruction& in) {
  if (in.kind != FlatInstruction::Kind::Plain) return false;
  const Instruction& ast = *in.ast;
  return is_one_of(ast.base(), {"selp", "mov"}) ||
         (is_one_of(ast.base(), {"and", "or", "xor"}) && ast.modifiers.back() == "pred");
}

struct Planner {
  const FlatKernel& kernel;
  std::size_t registers = kernel.registers.size();

  // Adds the sources of `wanted`'s definitions, as `follow` says, until nothing is new.
  template <class Follow>
  void close(Flags& wanted, Follow follow) const {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = kernel.code.size(); i-- > 0;) {
        const FlatInstruction& in = kernel.code[i];
        if (in.operands.empty()) continue;
        const int d = register_of(in.operands[0]);
        if (d < 0 || !wanted[static_cast<std::size_t>(d)] || !follow(in)) continue;
        for (std::size_t k = 1; k < in.operands.size(); ++k) {
          const int r = register_of(in.operands[k]);
          if (r < 0 || class_of_register(kernel, r) != class_of_register(kernel, d)) continue;
          changed |= !wanted[static_cast<std::size_t>(r)];
          wanted[static_cast<std::size_t>(r)] = true;
        }
      }
    }
  }
};

}  // namespace

ValueChecks plan_value_checks(const FlatKernel& kernel, const Cfg& cfg, Slots& slots) {
  ValueChecks out;
  const Planner plan{kernel};
  const std::size_t registers = kernel.registers.size();
  out.maybe_unwritten.resize(registers);
  out.chain.resize(registers);
  out.address.resize(registers);
  const auto make = [&](std::uint32_t bytes) {
    const std::uint32_t at = slots.bytes;
    slots.bytes += bytes;
    return at;
  };
  for (const int r : read_before_written(kernel, cfg))
    out.maybe_unwritten[static_cast<std::size_t>(r)] = make(64);
  // What is made of such a register is followed too.
  for (bool changed = true; changed;) {
    changed = false;
    for (const FlatInstruction& in : kernel.code) {
      if (!passes_on(in)) continue;
      const std::vector<int> read = registers_read(in);
      if (std::none_of(read.begin(), read.end(), [&](int r) {
            return out.maybe_unwritten[static_cast<std::size_t>(r)] != 0;
          }))
        continue;
      for (const int r : registers_written(in)) {
        std::uint32_t& to = out.maybe_unwritten[static_cast<std::size_t>(r)];
        if (to != 0) continue;
        to = make(64);
        changed = true;
      }
    }
  }

  Flags addresses(registers), chain(registers);
  for (const FlatInstruction& in : kernel.code) {
    if (!is_global_access(in)) continue;
    for (const Operand& op : in.operands) {
      if (op.kind == Operand::Kind::Memory && op.reg >= 0 &&
          class_of_register(kernel, op.reg) == RegisterClass::W64)
        addresses[static_cast<std::size_t>(op.reg)] = true;
    }
  }
  bool is_unsigned = false;
  plan.close(addresses, [&](const FlatInstruction& in) {
    return is_address_arithmetic(in) || is_widening(in, &is_unsigned);
  });
  for (const FlatInstruction& in : kernel.code) {
    if (in.operands.empty() || !is_widening(in, &is_unsigned)) continue;
    const int d = register_of(in.operands[0]);
    if (d < 0 || !addresses[static_cast<std::size_t>(d)]) continue;
    for (std::size_t k = 1; k < in.operands.size(); ++k) {
      const int r = register_of(in.operands[k]);
      if (r >= 0 && class_of_register(kernel, r) == RegisterClass::W32)
        chain[static_cast<std::size_t>(r)] = true;
    }
  }
  plan.close(chain, is_chain);
  // What nothing computes cannot have wrapped.
  Flags computed(registers);
  for (bool changed = true; changed;) {
    changed = false;
    for (const FlatInstruction& in : kernel.code) {
      if (in.operands.empty() || !is_chain(in)) continue;
      const int d = register_of(in.operands[0]);
      if (d < 0 || !chain[static_cast<std::size_t>(d)] || computed[static_cast<std::size_t>(d)])
        continue;
      const int from = in.operands.size() > 1 ? register_of(in.operands[1]) : -1;
      const bool moves = is_copy(in);
      if (moves && (from < 0 || !computed[static_cast<std::size_t>(from)])) continue;
      computed[static_cast<std::size_t>(d)] = changed = true;
    }
  }
  for (std::size_t r = 0; r < registers; ++r) {
    if (chain[r] && computed[r]) out.chain[r] = make(ValueChecks::kChainBytes);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (const FlatInstruction& in : kernel.code) {
      if (in.operands.empty()) continue;
      const int d = register_of(in.operands[0]);
      if (d < 0 || !addresses[static_cast<std::size_t>(d)] ||
          out.address[static_cast<std::size_t>(d)] != 0)
        continue;
      bool from_chain = false;
      for (std::size_t k = 1; k < in.operands.size(); ++k) {
        const int r = register_of(in.operands[k]);
        if (r < 0) continue;
        from_chain |=
            (is_widening(in, &is_unsigned) && out.chain[static_cast<std::size_t>(r)] != 0) ||
            out.address[static_cast<std::size_t>(r)] != 0;
      }
      if (!from_chain || !(is_address_arithmetic(in) || is_widening(in, &is_unsigned))) continue;
      out.address[static_cast<std::size_t>(d)] = make(64);
      changed = true;
    }
  }
  slots.bytes = (slots.bytes + 255) / 256 * 256;
  return out;
}

bool is_copy(const FlatInstruction& in) {
  if (in.operands.size() != 2) return false;
  return in.kind == FlatInstruction::Kind::Move ||
         (in.kind == FlatInstruction::Kind::Plain && in.ast->base() == "mov");
}

// Instructions around `in` that the checks add: first before its guard, then before and after
// itself.

Status Lowering::check_guard(In in) {
  if (!checks_ || in.guard < 0) return {};
  return check_written(in, in.guard);
}

Status Lowering::check_written(In in, int reg) {
  const Location lanes = checks_->maybe_unwritten[static_cast<std::size_t>(reg)];
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
      const Location wrong = checks_->address[static_cast<std::size_t>(op.reg)];
      if (wrong != 0) KW_RETURN_IF_ERROR(emit3(in, "$index.use", 0, wrong));
    }
    return {};
  }
  if (in.operands.empty()) return {};
  const int d = register_of(in.operands[0]);
  if (d < 0) return {};
  const auto slot = [](const std::vector<std::uint32_t>& slots, const Operand& op) {
    const int r = register_of(op);
    return r < 0 ? 0 : slots[static_cast<std::size_t>(r)];
  };
  if (const Location to = slot(checks_->chain, in.operands[0]); to != 0) {
    if (!is_chain(in)) return emit3(in, "$index.fresh", to, 0);
    const std::string name = in.kind == FlatInstruction::Kind::Move ? "mov" : in.ast->base();
    std::array<Location, 3> values{}, exact{};
    for (std::size_t k = 1; k < in.operands.size() && k <= 3; ++k) {
      const Operand& op = in.operands[k];
      if (register_of(op) < 0 && !op.is_constant() && op.kind != Operand::Kind::Special)
        return emit3(in, "$index.fresh", to, 0);
      KW_ASSIGN(values[k - 1], source(in, op, 4, Type::S32));
      exact[k - 1] = slot(checks_->chain, op);
    }
    KW_RETURN_IF_ERROR(emit3(in, "$index." + name, to, values[0], values[1], values[2]));
    out_.code.back().extra = static_cast<std::uint32_t>(out_.extra.size());
    for (const Location e : exact) out_.extra.push_back(e);
    return {};
  }
  if (const Location to = slot(checks_->address, in.operands[0]); to != 0) {
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

Status Lowering::check_after(In in) {
  if (!checks_) return {};
  const bool copies = is_copy(in) && register_of(in.operands[1]) >= 0;
  std::array<Location, 3> from{};
  std::size_t known = 0;
  if (passes_on(in)) {
    for (const int r : registers_read(in)) {
      const Location lanes = checks_->maybe_unwritten[static_cast<std::size_t>(r)];
      if (lanes != 0 && r != in.guard && known < from.size()) from[known++] = lanes;
    }
  }
  // With a source that is certainly written, one is enough from the start.
  const bool good = known == 0 || (needs_one(in) && known < registers_read(in).size() && !copies);
  for (const int r : registers_written(in)) {
    const Location lanes = checks_->maybe_unwritten[static_cast<std::size_t>(r)];
    if (lanes == 0) continue;
    KW_RETURN_IF_ERROR(good ? emit3(in, "$written.set", lanes, 0)
                            : emit3(in, "$written.flow", lanes, from[0], from[1], from[2]));
    if (!good) out_.code.back().x = copies ? 2 : needs_one(in) ? 1 : 0;
  }
  return {};
}

}  // namespace kw::ptxvm

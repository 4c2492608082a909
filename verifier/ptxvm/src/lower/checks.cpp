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

/// Finds what to follow. Registers are those that are read in place of folded ones.
class Planner {
 public:
  Planner(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds)
      : kernel_(kernel), cfg_(cfg), folds_(folds), registers_(kernel.registers.size()) {
    for (std::size_t i = 0; i < kernel.code.size(); ++i) {
      if (!folds.silent[i]) code_.push_back(&kernel.code[i]);
    }
  }

  ValueChecks run(Slots& slots) {
    out_.maybe_unwritten.resize(registers_);
    out_.chain.resize(registers_);
    out_.exact.resize(registers_);
    out_.address.resize(registers_);
    out_.aliased.resize(registers_);
    end_ = out_.begin = slots.bytes;
    follow_unwritten();
    find_addresses();
    place_chains();
    place_addresses();
    out_.flags_end = end_;
    for (std::size_t r = 0; r < registers_; ++r) {
      if (out_.chain[r] != 0) out_.exact[r] = take(512);
    }
    slots.bytes = (end_ + 255) / 256 * 256;
    return std::move(out_);
  }

 private:
  using In = const FlatInstruction&;

  // The register that is read for the operand, -1 for none and for values known before the launch.
  int read(const Operand& op) const {
    const int r = register_of(op);
    return r < 0 || folds_.is_known(r) ? -1 : folds_.of(r);
  }
  static int written(In in) { return in.operands.empty() ? -1 : register_of(in.operands[0]); }

  std::uint32_t take(std::uint32_t bytes) {
    end_ = (end_ + bytes - 1) / bytes * bytes;
    const std::uint32_t at = end_;
    end_ += bytes;
    return at;
  }

  // What some path reads before it writes it, and what is made of that.
  void follow_unwritten() {
    const auto lanes = [&](int r) -> std::uint32_t& {
      return out_.maybe_unwritten[static_cast<std::size_t>(folds_.of(r))];
    };
    for (const int r : read_before_written(kernel_, cfg_)) {
      if (lanes(r) == 0) lanes(r) = take(kFlagBytes);
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const FlatInstruction* in : code_) {
        if (!passes_on(*in)) continue;
        const std::vector<int> from = registers_read(*in);
        if (std::none_of(from.begin(), from.end(), [&](int r) { return lanes(r) != 0; })) continue;
        for (const int r : registers_written(*in)) {
          if (lanes(r) != 0) continue;
          lanes(r) = take(kFlagBytes);
          changed = true;
        }
      }
    }
  }

  // Adds the sources of `wanted`'s definitions, as `follow` says, until nothing is new.
  template <class Follow>
  void close(Flags& wanted, Follow follow) const {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = code_.size(); i-- > 0;) {
        In in = *code_[i];
        const int d = written(in);
        if (d < 0 || !wanted[static_cast<std::size_t>(d)] || !follow(in)) continue;
        for (std::size_t k = 1; k < in.operands.size(); ++k) {
          const int r = read(in.operands[k]);
          if (r < 0 || class_of_register(kernel_, r) != class_of_register(kernel_, d)) continue;
          changed |= !wanted[static_cast<std::size_t>(r)];
          wanted[static_cast<std::size_t>(r)] = true;
        }
      }
    }
  }

  void find_addresses() {
    addresses_.resize(registers_);
    for (const FlatInstruction* in : code_) {
      if (!is_global_access(*in)) continue;
      for (const Operand& op : in->operands) {
        if (op.kind != Operand::Kind::Memory || op.reg < 0 || folds_.is_known(op.reg)) continue;
        const int r = folds_.of(op.reg);
        if (class_of_register(kernel_, r) == RegisterClass::W64)
          addresses_[static_cast<std::size_t>(r)] = true;
      }
    }
    bool is_unsigned = false;
    close(addresses_,
          [&](In in) { return is_address_arithmetic(in) || is_widening(in, &is_unsigned); });
  }

  void place_chains() {
    Flags chain(registers_);
    bool is_unsigned = false;
    for (const FlatInstruction* in : code_) {
      const int d = written(*in);
      if (d < 0 || !is_widening(*in, &is_unsigned) || !addresses_[static_cast<std::size_t>(d)])
        continue;
      for (std::size_t k = 1; k < in->operands.size(); ++k) {
        const int r = read(in->operands[k]);
        if (r >= 0 && class_of_register(kernel_, r) == RegisterClass::W32)
          chain[static_cast<std::size_t>(r)] = true;
      }
    }
    close(chain, is_chain);
    // What nothing computes cannot have wrapped.
    Flags computed(registers_);
    for (bool changed = true; changed;) {
      changed = false;
      for (const FlatInstruction* in : code_) {
        const int d = written(*in);
        if (d < 0 || !is_chain(*in) || !chain[static_cast<std::size_t>(d)] ||
            computed[static_cast<std::size_t>(d)])
          continue;
        const int from = in->operands.size() > 1 ? read(in->operands[1]) : -1;
        if (is_copy(*in) && (from < 0 || !computed[static_cast<std::size_t>(from)])) continue;
        computed[static_cast<std::size_t>(d)] = changed = true;
      }
    }
    for (std::size_t r = 0; r < registers_; ++r) {
      if (chain[r] && computed[r]) out_.chain[r] = take(kFlagBytes);
    }
  }

  // Registers whose flags the result may get, if `in` computes addresses.
  template <class Visit>
  void visit_sources(In in, Visit visit) const {
    bool is_unsigned = false;
    const bool widens = is_widening(in, &is_unsigned);
    if (!widens && !is_address_arithmetic(in)) return;
    for (std::size_t k = 1; k < in.operands.size(); ++k) {
      const int r = read(in.operands[k]);
      if (r >= 0) visit(static_cast<std::size_t>(r), widens, is_unsigned);
    }
  }

  void place_addresses() {
    Flags made(registers_);  // of a chain
    for (bool changed = true; changed;) {
      changed = false;
      for (const FlatInstruction* in : code_) {
        const int d = written(*in);
        if (d < 0 || !addresses_[static_cast<std::size_t>(d)] || made[static_cast<std::size_t>(d)])
          continue;
        visit_sources(*in, [&](std::size_t r, bool widens, bool) {
          if (!(widens && out_.chain[r] != 0) && !made[r]) return;
          made[static_cast<std::size_t>(d)] = changed = true;
        });
      }
    }
    for (bool progress = true; progress;) {
      progress = false;
      for (const FlatInstruction* in : code_) {
        const int d = written(*in);
        if (d < 0 || !made[static_cast<std::size_t>(d)]) continue;
        std::uint32_t& at = out_.address[static_cast<std::size_t>(d)];
        if (at != 0) continue;
        at = inherited(*in, made);
        out_.aliased[static_cast<std::size_t>(d)] = at != 0;
        progress |= at != 0;
      }
    }
    for (std::size_t r = 0; r < registers_; ++r) {
      if (made[r] && out_.address[r] == 0) out_.address[r] = take(kFlagBytes);
    }
  }

  // Where one source's flags are the result's at all times: both are defined once, and the source
  // cannot change while the result is in use. 0 if there is no such source, or not yet.
  std::uint32_t inherited(In in, const Flags& made) const {
    const auto once = [&](std::size_t r) { return folds_.once[r]; };
    if (!once(static_cast<std::size_t>(written(in)))) return 0;
    unsigned sources = 0;
    std::uint32_t at = 0;
    visit_sources(in, [&](std::size_t r, bool widens, bool is_unsigned) {
      const bool chain = widens && out_.chain[r] != 0;
      if (!chain && !made[r]) return;
      ++sources;
      if (once(r) && !(chain && is_unsigned)) at = chain ? out_.chain[r] : out_.address[r];
    });
    return sources == 1 ? at : 0;
  }

  static constexpr std::uint32_t kFlagBytes = 16;

  const FlatKernel& kernel_;
  const Cfg& cfg_;
  const Folds& folds_;
  const std::size_t registers_;
  std::vector<const FlatInstruction*> code_;
  Flags addresses_;
  ValueChecks out_;
  std::uint32_t end_ = 0;
};

}  // namespace

ValueChecks plan_value_checks(const FlatKernel& kernel, const Cfg& cfg, const Folds& folds,
                              Slots& slots) {
  return Planner(kernel, cfg, folds).run(slots);
}

bool is_copy(const FlatInstruction& in) {
  if (in.operands.size() != 2) return false;
  return in.kind == FlatInstruction::Kind::Move ||
         (in.kind == FlatInstruction::Kind::Plain && in.ast->base() == "mov");
}

// Instructions around `in` that the checks add: first before its guard, then before and after
// itself.

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
    KW_RETURN_IF_ERROR(good ? emit3(in, "$written.set", lanes, 0)
                            : emit3(in, "$written.flow", lanes, from[0], from[1], from[2]));
    if (!good) out_.code.back().x = copies ? 2 : needs_one(in) ? 1 : 0;
  }
  return {};
}

}  // namespace kw::ptxvm

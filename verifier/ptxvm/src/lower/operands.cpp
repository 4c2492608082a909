#include <algorithm>
#include <bit>
#include <cstring>

#include "exec/warp.h"
#include "ir/special.h"
#include "lower/lowering.h"

namespace kw::ptxvm {

Type type_modifier(const Instruction& in, unsigned nth) {
  for (std::size_t i = in.modifiers.size(); i-- > 1;) {
    const Type type = type_from_name(in.modifiers[i]);
    if (type != Type::None && nth-- == 0) return type;
  }
  return Type::None;
}

Lowering::Location Lowering::scratch() {
  const std::uint32_t slot = std::min(scratch_used_, kScratchSlots - 1);
  ++scratch_used_;
  return slot * kScratchSlotBytes;
}

Lowering::Location Lowering::constant(std::uint64_t value, std::uint32_t bytes) {
  if (bytes == 1) value = value != 0 ? 0xffffffffu : 0;
  if (bytes == 2) value &= 0xffffu;
  if (bytes == 4) value &= 0xffffffffu;
  const auto [it, fresh] = constants_.try_emplace({value, bytes}, 0);
  if (fresh) {
    const auto offset = static_cast<Location>(out_.pool.size());
    const std::uint32_t size = bytes == 1 ? 4 : bytes;
    out_.pool.resize(offset + std::max(64u, kLanes * bytes));
    for (std::uint32_t l = 0; l < (bytes == 1 ? 1 : kLanes); ++l)
      std::memcpy(&out_.pool[offset + l * size], &value, size);
    it->second = offset | 1u;
    constant_values_.emplace(it->second, value);
  }
  return it->second;
}

std::optional<std::uint64_t> Lowering::constant_at(Location at) const {
  const auto found = constant_values_.find(at);
  return found == constant_values_.end() ? std::nullopt : std::optional(found->second);
}

Lowering::Location Lowering::relocated(int variable, std::uint64_t addend) {
  const auto [it, fresh] = relocated_.try_emplace({variable, addend}, 0);
  if (fresh) {
    const auto offset = static_cast<Location>(out_.pool.size());
    out_.pool.resize(offset + kLanes * 8);
    out_.relocations.push_back({offset, variable, addend});
    it->second = offset | 1u;
  }
  return it->second;
}

// The pool's copy of a folded register's value.
Result<Lowering::Location> Lowering::known_value(In in, int reg) {
  const auto [it, fresh] = known_.try_emplace(reg, 0);
  if (!fresh) return it->second;
  const KnownValue& value = folds_.value(reg);
  const std::uint32_t bytes =
      lane_bytes(class_of(kernel_.registers[static_cast<std::size_t>(reg)]));
  if (value.kind == KnownValue::Kind::Literal) {
    if (value.operand->kind == Operand::Kind::Symbol) {
      KW_ASSIGN(it->second, symbol_value(in, *value.operand, bytes));
    } else {
      it->second = constant(literal(*value.operand, bytes, value.type), bytes);
    }
    return it->second;
  }
  const auto special = value.kind == KnownValue::Kind::Special
                           ? special_register(value.operand->name)
                           : std::nullopt;
  if (is_index(special)) {
    const bool of_block = *special >= SpecialRegister::CtaidX;
    const auto axis =
        static_cast<std::uint32_t>(*special) -
        static_cast<std::uint32_t>(of_block ? SpecialRegister::CtaidX : SpecialRegister::TidX);
    if (of_block) out_.block_index_used[axis] = true;
    it->second = (of_block ? kBlockIndexSlot : kThreadIndexSlot) + axis * 128;
    return it->second;
  }
  LaunchValue at;
  at.pool_offset = static_cast<std::uint32_t>(out_.pool.size());
  at.lane_bytes = bytes;
  at.special = special;
  if (!special) {
    at.parameter = static_cast<std::uint32_t>(value.offset);
    at.parameter_bytes = value.bytes;
    at.sign = value.sign;
  }
  out_.pool.resize(at.pool_offset + kLanes * std::max(2u, bytes));
  out_.launch_values.push_back(at);
  it->second = at.pool_offset | 1u;
  return it->second;
}

// Where to read a register.
Result<Lowering::Location> Lowering::register_value(In in, int reg) {
  const int from = folds_.of(reg);
  if (folds_.is_known(from)) return known_value(in, from);
  return slots_.offset[static_cast<std::size_t>(from)];
}

// A literal as the bits of an operand of `type`.
std::uint64_t Lowering::literal(const Operand& op, std::uint32_t bytes, Type type) const {
  if (op.kind == Operand::Kind::Integer) return op.value;
  const bool to_single = bytes == 4 && type != Type::F64;
  if (op.kind == Operand::Kind::Float64 && to_single) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(op.value)));
  }
  if (op.kind == Operand::Kind::Float32 && type == Type::F64) {
    return std::bit_cast<std::uint64_t>(
        static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(op.value))));
  }
  return op.value;
}

Result<Lowering::Location> Lowering::symbol_value(In in, const Operand& op, std::uint32_t bytes) {
  const FlatSymbol& symbol = kernel_.symbols[static_cast<std::size_t>(op.variable)];
  switch (symbol.kind) {
    case FlatSymbol::Kind::Variable:
      if (bytes != 8) return malformed(in, "a 64-bit address does not fit");
      return relocated(symbol.variable, op.value);
    case FlatSymbol::Kind::KernelParameter:
      return constant(kParameterWindow + symbol.offset + op.value, bytes);
    case FlatSymbol::Kind::CallParameter:
      return constant(kLocalWindow + symbol.offset + op.value, bytes);
    case FlatSymbol::Kind::Frame:
    case FlatSymbol::Kind::Shared:
      return constant(symbol.offset + op.value, bytes);
  }
  return unsupported(in);
}

Status Lowering::resize(In in, Location from, std::uint32_t from_bytes, Location to,
                        std::uint32_t to_bytes, bool is_signed) {
  if (from_bytes == 1 || to_bytes == 1 || from_bytes == 16 || to_bytes == 16)
    return malformed(in, "operand of the wrong kind");
  const char kind = to_bytes < from_bytes ? 'b' : is_signed ? 's' : 'u';
  return emit3(in, fmt::format("$resize.{}{}.b{}", kind, 8 * from_bytes, 8 * to_bytes), to, from);
}

Result<Lowering::Location> Lowering::source(In in, const Operand& op, std::uint32_t bytes,
                                            Type type) {
  switch (op.kind) {
    case Operand::Kind::Register: {
      const auto r = static_cast<std::size_t>(op.reg);
      const std::uint32_t have = std::max(1u, lane_bytes(class_of(kernel_.registers[r])));
      KW_ASSIGN(Location at, register_value(in, op.reg));
      if (op.negated) {
        if (have != 1) return malformed(in, "'!' on a register that is no predicate");
        const Location inverted = scratch();
        KW_RETURN_IF_ERROR(emit3(in, "not.pred", inverted, at));
        at = inverted;
      }
      if (have == bytes) return at;
      const Location resized = scratch();
      KW_RETURN_IF_ERROR(resize(in, at, have, resized, bytes, is_signed(type)));
      return resized;
    }
    case Operand::Kind::Integer:
    case Operand::Kind::Float32:
    case Operand::Kind::Float64: {
      std::uint64_t value = literal(op, bytes, type);
      if (op.negated) value = value == 0 ? 1 : 0;
      return constant(value, bytes);
    }
    case Operand::Kind::Symbol:
      if (op.variable < 0) return malformed(in, fmt::format("{} is not known", op.name));
      return symbol_value(in, op, bytes);
    case Operand::Kind::Special: {
      const Location at = scratch();
      KW_RETURN_IF_ERROR(special(in, op.name, at, bytes));
      return at;
    }
    default:
      return malformed(in, "unexpected kind of operand");
  }
}

Result<Lowering::Location> Lowering::destination(In in, const Operand& op, std::uint32_t bytes,
                                                 Type type) {
  if (op.kind == Operand::Kind::Sink) return scratch();
  if (op.kind != Operand::Kind::Register || op.negated)
    return malformed(in, "the result is not a register");
  const auto r = static_cast<std::size_t>(op.reg);
  const std::uint32_t have = std::max(1u, lane_bytes(class_of(kernel_.registers[r])));
  if (have == bytes) return slots_.offset[r];
  const Location at = scratch();
  pending_.push_back({at, bytes, slots_.offset[r], have, is_signed(type)});
  return at;
}

Status Lowering::finish_destinations(In in) {
  for (const Pending& p : pending_)
    KW_RETURN_IF_ERROR(resize(in, p.from, p.from_bytes, p.to, p.to_bytes, p.is_signed));
  pending_.clear();
  if (scratch_used_ > kScratchSlots) return unsupported(in, "too many operands of other sizes");
  return {};
}

Result<Lowering::Address> Lowering::address(In in, const Operand& op) {
  if (op.kind != Operand::Kind::Memory) return malformed(in, "an address in brackets is expected");
  if (!op.elements.empty()) return unsupported(in);
  Address at;
  if (op.reg >= 0) {
    const auto r = static_cast<std::size_t>(op.reg);
    const RegisterClass cls = class_of(kernel_.registers[r]);
    if (cls != RegisterClass::W32 && cls != RegisterClass::W64)
      return malformed(in, "an address must have 32 or 64 bits");
    KW_ASSIGN(at.base, register_value(in, op.reg));
    at.narrow = cls == RegisterClass::W32;
    at.offset = op.value;
    return at;
  }
  if (op.variable < 0) {
    at.base = constant(op.value, 8);
    return at;
  }
  at.symbol = op.variable;
  const FlatSymbol& symbol = kernel_.symbols[static_cast<std::size_t>(op.variable)];
  at.offset = op.value;
  if (symbol.kind == FlatSymbol::Kind::Variable) {
    at.base = relocated(symbol.variable, 0);
  } else {
    at.base = constant(symbol.offset, 8);  // in the symbol's own space
  }
  return at;
}

}  // namespace kw::ptxvm

#include <algorithm>
#include <array>

#include "lower/lowering.h"

namespace kw::ptxvm {
namespace {

constexpr auto kGlobal = static_cast<std::uint32_t>(Space::Global);
constexpr auto kShared = static_cast<std::uint32_t>(Space::Shared);
constexpr auto kLocal = static_cast<std::uint32_t>(Space::Local);
constexpr auto kConstant = static_cast<std::uint32_t>(Space::Constant);
constexpr auto kParameter = static_cast<std::uint32_t>(Space::Parameter);
constexpr auto kGeneric = static_cast<std::uint32_t>(Space::Generic);

// Modifiers of loads, stores and atomics that have no effect here: the host orders memory at least
// as strictly, and caches are not modelled.
bool is_hint(std::string_view m) {
  static constexpr std::array<std::string_view, 22> kHints{
      "volatile", "weak", "relaxed", "acquire", "release", "acq_rel", "mmio", "cta",
      "gpu",      "sys",  "nc",      "ca",      "cg",      "cs",      "lu",   "cv",
      "wb",       "wt",   "sc",      "unified", "noftz",   "cluster"};
  return std::find(kHints.begin(), kHints.end(), m) != kHints.end() || m.starts_with("L1::") ||
         m.starts_with("L2::") || m.starts_with("level::");
}

// AccessBits of the memory order that the modifiers ask for.
std::uint32_t order_bits(const Instruction& ast) {
  std::uint32_t bits = 0;
  if (ast.has("volatile") || ast.has("mmio")) bits |= AccessBits::kStrong | AccessBits::kVolatile;
  if (ast.has("relaxed")) bits |= AccessBits::kStrong;
  if (ast.has("acquire") || ast.has("acq_rel")) bits |= AccessBits::kStrong | AccessBits::kAcquire;
  if (ast.has("release") || ast.has("acq_rel")) bits |= AccessBits::kStrong | AccessBits::kRelease;
  if (ast.has("cta")) bits |= AccessBits::kBlockScope;
  return bits;
}

}  // namespace

// The space of an access and the fast path that serves it.
Result<Lowering::Place> Lowering::place(In in, const Address& at) const {
  Place out{kGeneric, "global"};
  for (std::size_t i = 1; i < in.ast->modifiers.size(); ++i) {
    const std::string& m = in.ast->modifiers[i];
    if (m == "global") out.space = kGlobal;
    if (m == "const") out.space = kConstant;
    if (m == "shared" || m == "shared::cta") out = {kShared, "shared"};
    if (m == "local") out = {kLocal, "local"};
    if (m == "param" || m == "param::func" || m == "param::entry") out.space = kParameter;
    if (m == "shared::cluster") return unsupported(in, "cluster shared memory");
  }
  if (at.symbol < 0) return out;
  // A name says where it is, whatever the instruction calls the space.
  const FlatSymbol::Kind kind = kernel_.symbols[static_cast<std::size_t>(at.symbol)].kind;
  if (kind == FlatSymbol::Kind::Frame || kind == FlatSymbol::Kind::CallParameter)
    return Place{kLocal, "local"};
  if (kind == FlatSymbol::Kind::Shared) return Place{kShared, "shared"};
  if (kind == FlatSymbol::Kind::Variable && out.space == kParameter)
    return malformed(in, "not a parameter");
  return out;
}

Status Lowering::load_store(In in, bool store) {
  if (in.operands.size() < 2) return malformed(in, "two operands are wanted");
  const Instruction& ast = *in.ast;
  Type type = Type::None;
  std::uint32_t count = 1;
  for (std::size_t i = 1; i < ast.modifiers.size(); ++i) {
    const std::string& m = ast.modifiers[i];
    if (m == "v2" || m == "v4") {
      count = m == "v2" ? 2 : 4;
    } else if (const Type t = type_from_name(m); t != Type::None) {
      type = t;
    } else if (!is_hint(m) && m != "global" && m != "const" && m != "local" &&
               !m.starts_with("shared") && !m.starts_with("param")) {
      return unsupported(in);
    }
  }
  const Operand& value = in.operands[store ? 1 : 0];
  const bool whole = type == Type::B128 && count == 1;  // moved as two halves
  if (whole) {
    type = Type::B64;
    count = 2;
  }
  const std::uint32_t bytes = size_of(type);
  if (bytes == 0 || bytes > 8) return unsupported(in);
  KW_ASSIGN(const Address at, address(in, in.operands[store ? 0 : 1]));
  std::vector<const Operand*> elements;
  if (value.kind == Operand::Kind::Vector) {
    for (const Operand& e : value.elements) elements.push_back(&e);
  } else {
    elements.push_back(&value);
  }
  if (!whole && elements.size() != count)
    return malformed(in, "the vector's length does not match");
  const std::uint32_t lane_size = bytes == 1 ? 2 : bytes;
  const bool sign = is_signed(type) && !store && bytes == 1;
  const std::string shape = bytes == 1 ? (sign ? "s8" : "u8") : fmt::format("b{}", 8 * bytes);

  const bool kernel_parameter =
      at.symbol >= 0 && kernel_.symbols[static_cast<std::size_t>(at.symbol)].kind ==
                            FlatSymbol::Kind::KernelParameter;
  if (kernel_parameter) {
    if (whole) return unsupported(in);
    if (store) return unsupported(in, "store to a kernel parameter");
    const std::uint64_t begin =
        kernel_.symbols[static_cast<std::size_t>(at.symbol)].offset + at.offset;
    if (begin > kernel_.parameter_bytes ||
        std::uint64_t{bytes} * count > kernel_.parameter_bytes - begin) {
      return malformed(in, "outside the kernel's parameters");
    }
    for (std::uint32_t v = 0; v < count; ++v) {
      KW_ASSIGN(const Location d, destination(in, *elements[v], lane_size, type));
      KW_RETURN_IF_ERROR(emit3(in, "$ld.param." + shape, d, 0));
      out_.code.back().imm = begin + v * bytes;
    }
    return {};
  }

  KW_ASSIGN(const Place where, place(in, at));
  std::array<Location, 4> registers{};
  Location wide = 0;
  if (whole) {
    registers[0] = scratch();
    registers[1] = scratch();
    if (store) {
      KW_ASSIGN(wide, source(in, value, 16, Type::B128));
      KW_RETURN_IF_ERROR(emit3(in, "$unpack.2x64", wide, registers[0], registers[1]));
    } else {
      KW_ASSIGN(wide, destination(in, value, 16, Type::B128));
    }
  }
  for (std::uint32_t v = 0; v < count && !whole; ++v) {
    if (store) {
      KW_ASSIGN(registers[v], source(in, *elements[v], lane_size, type));
    } else {
      KW_ASSIGN(registers[v], destination(in, *elements[v], lane_size, type));
    }
  }
  // Only shared memory is addressed with 32 bits; elsewhere a short address is extended.
  Location base = at.base;
  const bool narrow = at.narrow && where.name == "shared";
  if (at.narrow && !narrow) {
    base = scratch();
    KW_RETURN_IF_ERROR(resize(in, at.base, 4, base, 8, false));
  }
  const std::string name = fmt::format("{}.{}.{}.v{}{}", store ? "$st" : "$ld", where.name, shape,
                                       count, narrow ? ".n" : "");
  KW_ASSIGN(Ins* const ins, emit(in, name));
  ins->d = registers[0];
  ins->b = registers[1];
  ins->c = registers[2];
  ins->x = registers[3];
  ins->a = base;
  ins->imm = at.offset;
  ins->y = AccessBits::pack(bytes, count, where.space,
                            (store ? AccessBits::kStore : 0u) | (sign ? AccessBits::kSigned : 0u) |
                                (narrow ? AccessBits::kAddress32 : 0u) | order_bits(ast));
  ins->cache = out_.cache_slots++;
  if (whole && !store) return emit3(in, "$pack.2x64", wide, registers[0], registers[1]);
  return {};
}

Status Lowering::atomic(In in, bool has_result) {
  const Instruction& ast = *in.ast;
  static constexpr std::array<std::string_view, 11> kOps{"add",  "min", "max", "and", "or", "xor",
                                                         "exch", "cas", "inc", "dec", "sub"};
  std::string op;
  Type type = Type::None;
  bool vector = false;
  for (std::size_t i = 1; i < ast.modifiers.size(); ++i) {
    const std::string& m = ast.modifiers[i];
    if (m == "v2" || m == "v4" || m == "v8") {
      vector = true;
    } else if (std::find(kOps.begin(), kOps.end(), m) != kOps.end()) {
      op = m;
    } else if (const Type t = type_from_name(m); t != Type::None) {
      type = t;
    } else if (!is_hint(m) && m != "global" && !m.starts_with("shared")) {
      return unsupported(in);
    }
  }
  const std::uint32_t bytes = size_of(type);
  const std::size_t first = has_result ? 1 : 0;
  const std::size_t wanted = first + (op == "cas" ? 3 : 2);
  if (bytes == 0 || op.empty() || in.operands.size() < wanted)
    return malformed(in, "wrong operands");
  KW_ASSIGN(const Address at, address(in, in.operands[first]));
  KW_ASSIGN(const Place where, place(in, at));
  if (vector) return vector_atomic(in, has_result, op, type, at, where);
  Location d = scratch();
  if (has_result) {
    KW_ASSIGN(d, destination(in, in.operands[0], bytes, type));
  }
  KW_ASSIGN(const Location b, source(in, in.operands[first + 1], bytes, type));
  Location c = b;
  if (op == "cas") {
    KW_ASSIGN(c, source(in, in.operands[first + 2], bytes, type));
  }
  KW_RETURN_IF_ERROR(emit3(in, fmt::format("$atom.{}.{}", op, type_name(type)), d, at.base, b, c));
  Ins& ins = out_.code.back();
  ins.imm = at.offset;
  ins.y = AccessBits::pack(bytes, 1, where.space,
                           AccessBits::kStore | AccessBits::kStrong | AccessBits::kAtomic |
                               (at.narrow ? AccessBits::kAddress32 : 0u) | order_bits(ast));
  ins.z = has_result && in.operands[0].kind != Operand::Kind::Sink ? 1 : 0;
  ins.cache = out_.cache_slots++;
  return {};
}

// Each element is an atomic of its own (PTX ISA, "atom": vector operations are not atomic as a
// whole).
Status Lowering::vector_atomic(In in, bool has_result, const std::string& op, Type type,
                               const Address& at, const Place& where) {
  const std::size_t first = has_result ? 1 : 0;
  const Operand& values = in.operands[first + 1];
  const std::size_t count = values.elements.size();
  const bool sink = has_result && in.operands[0].kind == Operand::Kind::Sink;
  if (values.kind != Operand::Kind::Vector || count > 8 || count == 0 ||
      (has_result && !sink && in.operands[0].elements.size() != count))
    return malformed(in, "the vectors' lengths do not match");
  const std::uint32_t bytes = size_of(type);
  for (std::size_t i = 0; i < count; ++i) {
    scratch_used_ = 0;
    Location d = scratch();
    if (has_result && !sink) {
      const Operand& to = in.operands[0].elements[i];
      for (std::size_t later = i + 1; later < count; ++later) {
        if (to.reg >= 0 && values.elements[later].reg == to.reg)
          return unsupported(in, "a result that is also a later source");
      }
      KW_ASSIGN(d, destination(in, to, bytes, type));
    }
    KW_ASSIGN(const Location b, source(in, values.elements[i], bytes, type));
    KW_RETURN_IF_ERROR(
        emit3(in, fmt::format("$atom.{}.{}", op, type_name(type)), d, at.base, b, b));
    Ins& ins = out_.code.back();
    ins.imm = at.offset + i * bytes;
    ins.y = AccessBits::pack(bytes, 1, where.space,
                             AccessBits::kStore | AccessBits::kStrong | AccessBits::kAtomic |
                                 (at.narrow ? AccessBits::kAddress32 : 0u) | order_bits(*in.ast));
    ins.z = has_result && !sink ? 1 : 0;
    ins.cache = out_.cache_slots++;
  }
  return {};
}

Status Lowering::async_copy(In in) {
  const Instruction& ast = *in.ast;
  out_.uses_async_copies = true;
  if (ast.opcode == "cp.async.commit_group") return emit(in, "$cp.commit").map([](Ins*) {});
  if (ast.opcode == "cp.async.wait_all") return emit(in, "$cp.wait_all").map([](Ins*) {});
  if (ast.opcode == "cp.async.wait_group") {
    if (in.operands.size() != 1 || in.operands[0].kind != Operand::Kind::Integer)
      return malformed(in, "a number is wanted");
    KW_ASSIGN(Ins* const ins, emit(in, "$cp.wait_group"));
    ins->imm = std::min<std::uint64_t>(in.operands[0].value, 0xffffffffu);
    return {};
  }
  const bool plain = ast.modifiers.size() >= 5 && ast.modifiers[1] == "async" &&
                     (ast.modifiers[2] == "ca" || ast.modifiers[2] == "cg") &&
                     ast.modifiers[3].starts_with("shared") &&
                     ast.modifiers[3] != "shared::cluster" && ast.modifiers[4] == "global";
  if (!plain) return unsupported(in);
  if (in.operands.size() < 3 || in.operands[2].kind != Operand::Kind::Integer)
    return malformed(in, "wrong operands");
  const std::uint64_t bytes = in.operands[2].value;
  if ((bytes != 4 && bytes != 8 && bytes != 16) || (ast.modifiers[2] == "cg" && bytes != 16)) {
    return malformed(in, "the size must be 4, 8 or 16, and 16 for .cg");
  }
  KW_ASSIGN(const Address to, address(in, in.operands[0]));
  KW_ASSIGN(const Address from, address(in, in.operands[1]));
  if (from.narrow) return malformed(in, "a 32-bit global address");
  std::uint32_t flags = to.narrow ? 1 : 0;
  Location extra = 0;
  const bool hinted = ast.has("L2::cache_hint");
  if (in.operands.size() > 3 && !(hinted && in.operands.size() == 4)) {
    const Operand& op = in.operands[3];
    const bool predicate = op.kind == Operand::Kind::Register &&
                           kernel_.registers[static_cast<std::size_t>(op.reg)] == Type::Pred;
    KW_ASSIGN(extra, source(in, op, predicate ? 1 : 4, predicate ? Type::Pred : Type::U32));
    flags |= predicate ? 4 : 2;
  }
  const auto fits = [](std::uint64_t offset) {
    const auto s = static_cast<std::int64_t>(offset);
    return s == static_cast<std::int32_t>(s);
  };
  if (!fits(to.offset) || !fits(from.offset)) return unsupported(in, "offset above 32 bits");
  KW_RETURN_IF_ERROR(emit3(in, "$cp.async", 0, to.base, from.base, extra));
  Ins& ins = out_.code.back();
  ins.z = flags;
  ins.y = AccessBits::pack(static_cast<std::uint32_t>(bytes), 1, kGlobal, 0);
  ins.imm = (to.offset & 0xffffffffu) | from.offset << 32;
  ins.cache = out_.cache_slots++;
  return {};
}

}  // namespace kw::ptxvm

#include <algorithm>
#include <array>
#include <cfenv>

#include "lower/canonical.h"
#include "lower/lowering.h"

namespace kw::ptxvm {
namespace {

// setp and set: eq ne lt ... and the boolean operation with a third source.
struct Comparison {
  std::string op;
  std::string combine;  // "and", "or", "xor" or ""
  bool ftz = false;
};
Comparison comparison(const Instruction& in) {
  Comparison out;
  for (std::size_t i = 1; i < in.modifiers.size(); ++i) {
    const std::string& m = in.modifiers[i];
    if (m == "and" || m == "or" || m == "xor") {
      out.combine = m;
    } else if (m == "ftz") {
      out.ftz = true;
    } else if (type_from_name(m) == Type::None && out.op.empty()) {
      out.op = m;
    }
  }
  return out;
}

bool is_packed(Type t) { return t == Type::F16x2 || t == Type::BF16x2; }
bool is_half(Type t) { return t == Type::F16 || t == Type::BF16 || is_packed(t); }

}  // namespace

Status Lowering::alu(In in) {
  const Instruction& ast = *in.ast;
  const std::string& base = ast.base();
  if (base == "setp") return setp(in);
  if (base == "set") return set(in);
  if (base == "bfi") return bit_field_insert(in);
  if (base == "lop3") return lop3(in);
  if (has_directed_rounding(ast)) return directed(in);
  if (base == "cvt") return convert(in);
  return by_name(in, canonical_name(ast));
}

Status Lowering::by_name(In in, const std::string& name) {
  const int number = name[0] == '$' ? -1 : find_handler(name.c_str());
  if (number < 0) return unsupported(in);
  const Signature s = handler_entry(number).signature;
  const std::array<std::uint8_t, 4> widths{s.d, s.a, s.b, s.c};
  const auto wanted = static_cast<std::size_t>(
      std::count_if(widths.begin(), widths.end(), [](auto w) { return w != 0; }));
  if (in.operands.size() != wanted)
    return unsupported(in, fmt::format("{} operands, {} are known", in.operands.size(), wanted));
  const bool two_types = in.ast->base() == "cvt" || in.ast->base() == "slct";
  const Type from = type_modifier(*in.ast);
  const Type to = two_types ? type_modifier(*in.ast, 1) : from;
  KW_ASSIGN(const Location d, destination(in, in.operands[0], widths[0], to));
  std::array<Location, 3> sources{};
  for (std::size_t i = 1; i < wanted; ++i) {
    KW_ASSIGN(sources[i - 1],
              source(in, in.operands[i], widths[i], in.ast->base() == "slct" && i < 3 ? to : from));
  }
  return emit3(in, name, d, sources[0], sources[1], sources[2]);
}

Status Lowering::directed(In in) {
  const Instruction& ast = *in.ast;
  const Type type = type_modifier(ast);
  const bool cvt = ast.base() == "cvt";
  const Type to = cvt ? type_modifier(ast, 1) : type;
  std::string name = "$round." + (ast.base() == "mad" ? std::string("fma") : ast.base());
  if (cvt) {
    name += fmt::format(".{}.{}", type_name(to), type_name(type));
  } else {
    name += fmt::format(".{}", type_name(type));
  }
  if (in.operands.size() < 2 || in.operands.size() > 4)
    return malformed(in, "wrong number of operands");
  KW_ASSIGN(const Location d, destination(in, in.operands[0], size_of(to), to));
  std::array<Location, 3> sources{};
  for (std::size_t i = 1; i < in.operands.size(); ++i) {
    KW_ASSIGN(sources[i - 1], source(in, in.operands[i], size_of(type), type));
  }
  const int handler = find_handler(name.c_str());
  if (handler < 0) return unsupported(in);
  const Signature s = handler_entry(handler).signature;
  if (in.operands.size() != 2u + (s.b != 0) + (s.c != 0))
    return malformed(in, "wrong number of operands");
  KW_RETURN_IF_ERROR(emit3(in, name, d, sources[0], sources[1], sources[2]));
  out_.code.back().x = static_cast<std::uint32_t>(ast.has("rz")   ? FE_TOWARDZERO
                                                  : ast.has("rm") ? FE_DOWNWARD
                                                                  : FE_UPWARD);
  out_.code.back().y = (ast.has("ftz") ? 1u : 0u) | (ast.has("sat") ? 2u : 0u);
  return {};
}

// The mask of one comparison, in a scratch slot. Half types are compared as f32; `half` picks the
// element of a packed register.
Result<Lowering::Location> Lowering::compare(In in, Type type, const std::string& op, bool ftz,
                                             const Operand& a, const Operand& b, unsigned half) {
  const Location result = scratch();
  std::string name = "setp." + op;
  std::array<Location, 2> values{};
  const std::array<const Operand*, 2> operands{&a, &b};
  for (std::size_t i = 0; i < 2; ++i) {
    KW_ASSIGN(values[i], source(in, *operands[i], std::max(1u, size_of(type)), type));
    if (!is_half(type)) continue;
    if (is_packed(type)) {
      const Location part = scratch();
      if (half == 0) {
        KW_RETURN_IF_ERROR(emit3(in, "$resize.b32.b16", part, values[i]));
      } else {
        KW_RETURN_IF_ERROR(emit3(in, "shr.u32", part, values[i], constant(16, 4)));
        KW_RETURN_IF_ERROR(emit3(in, "$resize.b32.b16", part, part));
      }
      values[i] = part;
    }
    if (ftz && (type == Type::F16 || type == Type::F16x2)) {
      const Location flushed = scratch();
      KW_RETURN_IF_ERROR(emit3(in, "$flush.f16", flushed, values[i]));
      values[i] = flushed;
    }
    const Location wide = scratch();
    const bool bf = type == Type::BF16 || type == Type::BF16x2;
    KW_RETURN_IF_ERROR(emit3(in, bf ? "cvt.f32.bf16" : "cvt.f32.f16", wide, values[i]));
    values[i] = wide;
  }
  if (ftz && !is_half(type)) name += ".ftz";
  name += '.';
  name += is_half(type) ? std::string_view("f32") : type_name(type);
  KW_RETURN_IF_ERROR(emit3(in, name, result, values[0], values[1]));
  return result;
}

Status Lowering::setp(In in) {
  const Comparison c = comparison(*in.ast);
  const Type type = type_modifier(*in.ast);
  const std::size_t wanted = c.combine.empty() ? 3 : 4;
  if (in.operands.size() != wanted || type == Type::None)
    return malformed(in, "wrong number of operands");
  const bool pair = in.operands[0].kind == Operand::Kind::Pair;
  const Operand& first = pair ? in.operands[0].elements[0] : in.operands[0];
  const bool packed = is_packed(type);
  // All values are computed before any result is written: a result may also be a source.
  KW_ASSIGN(const Location low, compare(in, type, c.op, c.ftz, in.operands[1], in.operands[2], 0));
  Location second = low;
  if (pair && packed) {
    scratch_used_ = 1;  // keep `low`
    KW_ASSIGN(second, compare(in, type, c.op, c.ftz, in.operands[1], in.operands[2], 1));
    scratch_used_ = 3;
  }
  if (pair && !packed) {
    second = scratch();
    KW_RETURN_IF_ERROR(emit3(in, "not.pred", second, low));
  }
  if (!c.combine.empty()) {
    KW_ASSIGN(const Location with, source(in, in.operands[3], 1, Type::Pred));
    KW_RETURN_IF_ERROR(emit3(in, c.combine + ".pred", low, low, with));
    if (pair) KW_RETURN_IF_ERROR(emit3(in, c.combine + ".pred", second, second, with));
  }
  KW_ASSIGN(const Location p, destination(in, first, 1, Type::Pred));
  KW_RETURN_IF_ERROR(emit3(in, "mov.pred", p, low));
  if (pair) {
    KW_ASSIGN(const Location q, destination(in, in.operands[0].elements[1], 1, Type::Pred));
    KW_RETURN_IF_ERROR(emit3(in, "mov.pred", q, second));
  } else if (out_.code.size() >= 2 && c.combine.empty() && !packed) {
    // The common case: write the comparison straight into its register.
    out_.code.pop_back();
    out_.handlers.pop_back();
    out_.code.back().d = p;
  }
  return {};
}

// set.op.D.S: all ones or 1.0 where the comparison holds, else 0.
Status Lowering::set(In in) {
  const Comparison c = comparison(*in.ast);
  const Type from = type_modifier(*in.ast), to = type_modifier(*in.ast, 1);
  const std::size_t wanted = c.combine.empty() ? 3 : 4;
  if (in.operands.size() != wanted || to == Type::None)
    return malformed(in, "wrong number of operands");
  const auto truth = [](Type t) -> std::uint64_t {
    switch (t) {
      case Type::F32:
        return 0x3f800000u;
      case Type::F16:
      case Type::F16x2:
        return 0x3c00u;
      case Type::BF16:
      case Type::BF16x2:
        return 0x3f80u;
      default:
        return ~std::uint64_t{0};
    }
  };
  const unsigned halves = is_packed(from) ? 2 : 1;
  std::array<Location, 2> masks{};
  for (unsigned h = 0; h < halves; ++h) {
    scratch_used_ = h;
    KW_ASSIGN(masks[h], compare(in, from, c.op, c.ftz, in.operands[1], in.operands[2], h));
  }
  scratch_used_ = halves;
  if (!c.combine.empty()) {
    KW_ASSIGN(const Location with, source(in, in.operands[3], 1, Type::Pred));
    for (unsigned h = 0; h < halves; ++h)
      KW_RETURN_IF_ERROR(emit3(in, c.combine + ".pred", masks[h], masks[h], with));
  }
  KW_ASSIGN(const Location d, destination(in, in.operands[0], size_of(to), to));
  if (halves == 1) {
    return emit3(in, fmt::format("selp.b{}", 8 * size_of(to)), d, constant(truth(to), size_of(to)),
                 constant(0, size_of(to)), masks[0]);
  }
  const std::uint64_t one = truth(to) & 0xffffu;
  const Location low = scratch(), high = scratch();
  KW_RETURN_IF_ERROR(emit3(in, "selp.b32", low, constant(one, 4), constant(0, 4), masks[0]));
  KW_RETURN_IF_ERROR(emit3(in, "selp.b32", high, constant(one << 16, 4), constant(0, 4), masks[1]));
  return emit3(in, "or.b32", d, low, high);
}

Status Lowering::bit_field_insert(In in) {
  const Type type = type_modifier(*in.ast);
  if (in.operands.size() != 5 || (type != Type::B32 && type != Type::B64))
    return malformed(in, "wrong operands");
  KW_ASSIGN(const Location d, destination(in, in.operands[0], size_of(type), type));
  KW_ASSIGN(const Location a, source(in, in.operands[1], size_of(type), type));
  KW_ASSIGN(const Location b, source(in, in.operands[2], size_of(type), type));
  KW_ASSIGN(const Location position, source(in, in.operands[3], 4, Type::U32));
  KW_ASSIGN(const Location length, source(in, in.operands[4], 4, Type::U32));
  KW_RETURN_IF_ERROR(emit3(in, fmt::format("$bfi.{}", type_name(type)), d, a, b, position));
  out_.code.back().x = length;
  return {};
}

// lop3.b32 d, a, b, c, table; or lop3.OP.b32 d|p, a, b, c, table, q, where p = (d != 0) OP q.
Status Lowering::lop3(In in) {
  const std::string& opcode = in.ast->opcode;
  const bool combines = opcode == "lop3.or.b32" || opcode == "lop3.and.b32";
  if (in.operands.size() != (combines ? 6u : 5u) || in.operands[4].kind != Operand::Kind::Integer ||
      (!combines && opcode != "lop3.b32") ||
      (combines && in.operands[0].kind != Operand::Kind::Pair)) {
    return unsupported(in);
  }
  const Operand& result = combines ? in.operands[0].elements[0] : in.operands[0];
  KW_ASSIGN(const Location d, destination(in, result, 4, Type::B32));
  std::array<Location, 3> sources{};
  for (std::size_t i = 0; i < 3; ++i) {
    KW_ASSIGN(sources[i], source(in, in.operands[i + 1], 4, Type::B32));
  }
  KW_RETURN_IF_ERROR(emit3(in, "$lop3", d, sources[0], sources[1], sources[2]));
  out_.code.back().x = static_cast<std::uint32_t>(in.operands[4].value & 0xff);
  if (!combines) return {};
  const Location nonzero = scratch();
  KW_RETURN_IF_ERROR(emit3(in, "setp.ne.u32", nonzero, d, constant(0, 4)));
  KW_ASSIGN(const Location q, source(in, in.operands[5], 1, Type::Pred));
  KW_ASSIGN(const Location p, destination(in, in.operands[0].elements[1], 1, Type::Pred));
  return emit3(in, opcode == "lop3.or.b32" ? "or.pred" : "and.pred", p, nonzero, q);
}

}  // namespace kw::ptxvm

// Conversions that have no handler of their own, as a chain of those that do: flush the source,
// convert, then clamp to [0, 1], to the finite numbers or away from negative ones.

#include "lower/canonical.h"
#include "lower/lowering.h"

namespace kw::ptxvm {
namespace {

bool is_half(Type t) { return t == Type::F16 || t == Type::BF16; }
bool is_half_kind(Type t) { return is_half(t) || t == Type::F16x2 || t == Type::BF16x2; }

}  // namespace

Status Lowering::convert(In in) {
  const Instruction& ast = *in.ast;
  const std::string whole = canonical_name(ast);
  if (find_handler(whole.c_str()) >= 0) return by_name(in, whole);
  std::string rounding;
  bool ftz = false, sat = false, relu = false, finite = false;
  for (std::size_t i = 1; i + 2 < ast.modifiers.size(); ++i) {
    const std::string& m = ast.modifiers[i];
    if (m == "ftz") {
      ftz = true;
    } else if (m == "sat") {
      sat = true;
    } else if (m == "relu") {
      relu = true;
    } else if (m == "satfinite") {
      finite = true;
    } else if (rounding.empty() && m[0] == 'r' && m != "rs") {
      rounding = m;
    } else {
      return unsupported(in);
    }
  }
  const Type to = type_modifier(ast, 1);
  Type from = type_modifier(ast);
  const std::size_t sources = in.operands.size() - 1;
  const bool finishes = is_half_kind(to) || (to == Type::TF32 && !sat) ||
                        ((to == Type::F32 || to == Type::F64) && !relu && !finite);
  if (ast.modifiers.size() < 3 || !finishes || size_of(from) == 0 || sources < 1 || sources > 2)
    return unsupported(in);

  std::array<Location, 2> values{};
  for (std::size_t i = 0; i < sources; ++i) {
    KW_ASSIGN(values[i], source(in, in.operands[i + 1], std::max(2u, size_of(from)), from));
    // .ftz does not keep f32's subnormal numbers from rounding up to f16's least one.
    if (!ftz || from != Type::F32 || to == Type::F16 || to == Type::F16x2) continue;
    const Location flushed = scratch();
    KW_RETURN_IF_ERROR(emit3(in, "cvt.ftz.f32.f32", flushed, values[i]));
    values[i] = flushed;
  }
  if (is_half(from) && is_half(to) && from != to) {  // through f32, which holds both
    const Location wide = scratch();
    KW_RETURN_IF_ERROR(emit3(in, fmt::format("cvt.f32.{}", type_name(from)), wide, values[0]));
    values[0] = wide;
    from = Type::F32;
    if (rounding.empty()) rounding = "rn";
  }
  KW_ASSIGN(const Location d, destination(in, in.operands[0], std::max(2u, size_of(to)), to));
  if (from == to && rounding.empty()) {
    const std::string copy = is_half(to) ? fmt::format("$canonical.{}", type_name(to))
                                         : fmt::format("mov.b{}", 8 * size_of(to));
    KW_RETURN_IF_ERROR(emit3(in, copy, d, values[0]));
  } else {
    const std::string core = fmt::format("cvt.{}{}{}.{}", rounding, rounding.empty() ? "" : ".",
                                         type_name(to), type_name(from));
    KW_RETURN_IF_ERROR(emit3(in, core, d, values[0], values[1]));
  }
  const bool wide = to == Type::F32 || to == Type::F64;
  if (finite) KW_RETURN_IF_ERROR(emit3(in, fmt::format("$finite.{}", type_name(to)), d, d));
  if (relu) KW_RETURN_IF_ERROR(emit3(in, fmt::format("$relu.{}", type_name(to)), d, d));
  if (!sat) return {};
  return wide ? emit3(in, fmt::format("cvt.sat.{0}.{0}", type_name(to)), d, d)
              : emit3(in, fmt::format("$sat.{}", type_name(to)), d, d);
}

}  // namespace kw::ptxvm

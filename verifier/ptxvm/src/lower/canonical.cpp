#include "lower/canonical.h"

#include <algorithm>
#include <array>

namespace kw::ptxvm {
namespace {

constexpr std::array<std::string_view, 8> kRounding{"add", "sub", "mul",  "fma",
                                                    "mad", "div", "sqrt", "rcp"};

bool rounds(const Instruction& in) {
  return std::find(kRounding.begin(), kRounding.end(), in.base()) != kRounding.end();
}
bool floating(const Instruction& in) { return is_float(type_from_name(in.modifiers.back())); }

}  // namespace

std::string canonical_name(const Instruction& in) {
  std::string name = in.base();
  const bool rounding = rounds(in) && floating(in);
  if (name == "mad" && floating(in)) name = "fma";
  const bool integer_product = name == "mul" || name == "mad" || name == "madc";
  // Conversions from floating point to integers always clamp.
  const bool clamps_anyway = name == "cvt" && in.modifiers.size() > 2 && floating(in) &&
                             !is_float(type_from_name(in.modifiers[in.modifiers.size() - 2]));
  // Small integers are exact in f32 and f64 in every rounding mode.
  const Type last = type_from_name(in.modifiers.back());
  const bool exact = name == "cvt" && in.modifiers.size() > 2 && !is_float(last) &&
                     size_of(last) < 4 &&
                     size_of(type_from_name(in.modifiers[in.modifiers.size() - 2])) >= 4;
  for (std::size_t i = 1; i < in.modifiers.size(); ++i) {
    const std::string& m = in.modifiers[i];
    if (m == "rn" && rounding) continue;
    if (m == "lo" && integer_product) continue;
    if (m == "sat" && clamps_anyway) continue;
    name += '.';
    name += exact && (m == "rz" || m == "rm" || m == "rp") ? "rn" : m;
  }
  return name;
}

bool has_directed_rounding(const Instruction& in) {
  if (!in.has("rz") && !in.has("rm") && !in.has("rp")) return false;
  const Type to = type_from_name(in.modifiers.back());
  if (in.base() == "cvt") {
    const Type d = type_from_name(in.modifiers[in.modifiers.size() - 2]);
    return (d == Type::F32 || d == Type::F64) &&
           (to == Type::F64 || (!is_float(to) && size_of(to) >= 4));
  }
  return rounds(in) && (to == Type::F32 || to == Type::F64);
}

}  // namespace kw::ptxvm

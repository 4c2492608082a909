// The .approx instructions under Options::perturb_approximations: results drawn, by a hash of seed,
// instruction and operands, from all that the PTX ISA allows around the exact value. What it states
// no error for is left exact: special operands, results at the edge of the normal numbers, and the
// gross approximations of f64.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "exec/context.h"
#include "handlers/narrow.h"

namespace kw::ptxvm::baseline {
namespace {

enum class Function : u32 { Ex2, Lg2, Sin, Cos, Tanh, Rcp, Sqrt, Rsqrt, Div, DivFull };

double exact(Function f, double a, double b) {
  switch (f) {
    case Function::Ex2:
      return std::exp2(a);
    case Function::Lg2:
      return std::log2(a);
    case Function::Sin:
      return std::sin(a);
    case Function::Cos:
      return std::cos(a);
    case Function::Tanh:
      return std::tanh(a);
    case Function::Rcp:
      return 1 / a;
    case Function::Sqrt:
      return std::sqrt(a);
    case Function::Rsqrt:
      return 1 / std::sqrt(a);
    case Function::Div:
    case Function::DivFull:
      return a / b;
  }
  return 0;
}

struct F32 {
  using Bits = u32;
  static constexpr double kHalfUlp = 0x1p-24, kLeast = 0x1p-126, kMost = 0x1p127;
  static double decode(u32 bits) { return static_cast<double>(bit_cast<float>(bits)); }
  static u32 encode(double y) { return y != y ? kNan32 : bit_cast<u32>(static_cast<float>(y)); }
  // PTX ISA, the instructions' tables of errors: relative, or absolute.
  static double error(Function f, double y) {
    const double size = std::fabs(y);
    switch (f) {
      case Function::Lg2:
        return 0x1p-22 * std::max(size, 1.0);  // absolute for operands in [0.5, 2]
      case Function::Sin:
      case Function::Cos:
        return std::exp2(-20.5);
      case Function::Tanh:
        return 0x1p-11 * size;
      case Function::Rcp:
      case Function::Sqrt:
        return 0x1p-23 * size;
      case Function::Rsqrt:
        return std::exp2(-22.9) * size;
      case Function::Ex2:
      case Function::Div:
      case Function::DivFull:
        return 0x1p-22 * size;
    }
    return 0;
  }
};
struct F16 {
  using Bits = u16;
  static constexpr double kHalfUlp = 0x1p-11, kLeast = 0x1p-14, kMost = 0x1p15;
  static double decode(u16 bits) { return static_cast<double>(half_to_float(bits)); }
  static u16 encode(double y) { return float_to_half(static_cast<float>(y)); }
  static double error(Function f, double y) {
    return f == Function::Tanh ? std::exp2(-10.987) : std::exp2(-9.9) * std::fabs(y);
  }
};
struct Bf16 {
  using Bits = u16;
  static constexpr double kHalfUlp = 0x1p-8, kLeast = 0x1p-126, kMost = 0x1p127;
  static double decode(u16 bits) { return static_cast<double>(bf16_to_float(bits)); }
  static u16 encode(double y) { return float_to_bf16(static_cast<float>(y)); }
  static double error(Function f, double y) {
    return f == Function::Tanh ? 0x1p-8 : 0x1p-7 * std::fabs(y);
  }
};

u64 mix(u64 x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

// The exact value, moved by what is allowed less what rounding may add.
template <class F, Function f, bool Z>
typename F::Bits perturbed(u64 seed, typename F::Bits a_bits, typename F::Bits b_bits) {
  const auto flushed = [](double x) {
    return Z && std::fabs(x) < F::kLeast ? std::copysign(0.0, x) : x;
  };
  const double a = flushed(F::decode(a_bits)), b = flushed(F::decode(b_bits));
  double y = exact(f, a, b);
  if (f == Function::Div && std::fabs(b) > 0x1p126)  // the ISA: zero, or NaN for an infinite a
    y = std::isinf(a) ? std::numeric_limits<double>::quiet_NaN() : y * 0.0;
  const double size = std::fabs(y);
  const bool stated =
      a != 0 && std::isfinite(a) && std::isfinite(y) && size >= 2 * F::kLeast && size < F::kMost;
  if (!stated) return F::encode(flushed(y));
  const u64 drawn = mix(seed ^ mix(static_cast<u64>(f) ^ mix(u64{a_bits} << 32 | b_bits)));
  const double place = static_cast<double>(drawn >> 11) * 0x1p-52 - 1;  // [-1, 1)
  double moved = y + place * (F::error(f, y) - F::kHalfUlp * size);
  if (f == Function::Sin || f == Function::Cos || f == Function::Tanh)
    moved = std::clamp(moved, -1.0, 1.0);
  return F::encode(flushed(moved));
}

template <class F, Function f, bool Z, unsigned Elements>
const Ins* run(Warp& w, const Ins* ins) {
  using Bits = typename F::Bits;
  const u64 seed = w.block->context.options->perturb_approximations;
  const Bits* a = reg<const Bits>(w, ins->a);
  constexpr bool kBinary = f == Function::Div || f == Function::DivFull;
  const Bits* b = kBinary ? reg<const Bits>(w, ins->b) : a;
  Bits* d = reg<Bits>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    for (unsigned e = Elements * l; e < Elements * (l + 1); ++e)
      d[e] = perturbed<F, f, Z>(seed, a[e], b[e]);
  }
  return ins + 1;
}

template <Function f>
void add32(Registry& r, const char* name, const char* mode = "approx") {
  const std::string flush = std::string(mode) + ".ftz";
  const bool binary = f == Function::Div || f == Function::DivFull;
  const Signature s{4, 4, binary ? std::uint8_t{4} : std::uint8_t{0}, 0};
  r.add(name, mode, "f32", run<F32, f, false, 1>, s);
  r.add(name, flush.c_str(), "f32", run<F32, f, true, 1>, s);
}
template <class F, Function f, bool Z>
void add16(Registry& r, const char* name, const char* mode, const char* type) {
  const std::string packed = std::string(type) + "x2";
  r.add(name, mode, type, run<F, f, Z, 1>, {2, 2, 0, 0});
  r.add(name, mode, packed.c_str(), run<F, f, Z, 2>, {4, 4, 0, 0});
}

}  // namespace

// Named as what they stand in for, after "$perturbed." (exec/lowered.cpp).
void register_perturbed(Registry& r) {
  add32<Function::Ex2>(r, "$perturbed.ex2");
  add32<Function::Lg2>(r, "$perturbed.lg2");
  add32<Function::Sin>(r, "$perturbed.sin");
  add32<Function::Cos>(r, "$perturbed.cos");
  add32<Function::Rcp>(r, "$perturbed.rcp");
  add32<Function::Sqrt>(r, "$perturbed.sqrt");
  add32<Function::Rsqrt>(r, "$perturbed.rsqrt");
  add32<Function::Div>(r, "$perturbed.div");
  add32<Function::DivFull>(r, "$perturbed.div", "full");
  r.add("$perturbed.tanh.approx.f32", run<F32, Function::Tanh, false, 1>, {4, 4, 0, 0});
  add16<F16, Function::Ex2, false>(r, "$perturbed.ex2", "approx", "f16");
  add16<Bf16, Function::Ex2, true>(r, "$perturbed.ex2", "approx.ftz", "bf16");
  add16<F16, Function::Tanh, false>(r, "$perturbed.tanh", "approx", "f16");
  add16<Bf16, Function::Tanh, false>(r, "$perturbed.tanh", "approx", "bf16");
}

}  // namespace kw::ptxvm::baseline

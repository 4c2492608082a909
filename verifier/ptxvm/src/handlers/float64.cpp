// f64 arithmetic rounded to nearest even.

#include "handlers/float_ops.h"

namespace kw::ptxvm::KW_ISA {
namespace {

struct Add {
  static double f(double a, double b) { return a + b; }
};
struct Sub {
  static double f(double a, double b) { return a - b; }
};
struct Mul {
  static double f(double a, double b) { return a * b; }
};
struct Fma {
  static double f(double a, double b, double c) { return fused(a, b, c); }
};
struct Div {
  static double f(double a, double b) { return a / b; }
};
struct Rcp {
  static double f(double a) { return 1.0 / a; }
};
struct Sqrt {
  static double f(double a) { return __builtin_sqrt(a); }
};
// NaN operands come out quiet, their sign and payload kept by neg.
double quiet(double a) { return bit_cast<double>(bit_cast<u64>(a) | 0x0008000000000000u); }
struct Abs {
  static double f(double a) { return a == a ? __builtin_fabs(a) : __builtin_fabs(quiet(a)); }
};
struct Neg {
  static double f(double a) { return a == a ? -a : quiet(a); }
};
struct Max {
  static double f(double a, double b) { return float_max(a, b); }
};
struct Min {
  static double f(double a, double b) { return float_min(a, b); }
};
struct CopySign {
  static double f(double a, double b) { return __builtin_copysign(b, a); }
};

// rcp.approx.ftz.f64 and rsqrt: the high word of the result is right, the low word is zero.
double high_word(double x) { return bit_cast<double>(bit_cast<u64>(x) & 0xffffffff00000000u); }
double flush64(double x) {
  const u64 bits = bit_cast<u64>(x);
  return bit_cast<double>((bits & 0x7ff0000000000000u) == 0 ? bits & 0x8000000000000000u : bits);
}
struct RcpApprox {
  static double f(double a) { return high_word(flush64(1.0 / flush64(a))); }
};
struct RsqrtApproxFtz {
  static double f(double a) { return high_word(1.0 / __builtin_sqrt(flush64(a))); }
};
struct RsqrtApprox {
  static double f(double a) { return 1.0 / __builtin_sqrt(a); }
};

}  // namespace

void register_float64(Registry& r) {
  add_binary<double, double, double, Add>(r, "add", "", "f64");
  add_binary<double, double, double, Sub>(r, "sub", "", "f64");
  add_binary<double, double, double, Mul>(r, "mul", "", "f64");
  add_ternary<double, double, double, double, Fma>(r, "fma", "", "f64");
  add_binary<double, double, double, Div>(r, "div", "", "f64");
  add_unary<double, double, Rcp>(r, "rcp", "", "f64");
  add_unary<double, double, Sqrt>(r, "sqrt", "", "f64");
  add_unary<double, double, Abs>(r, "abs", "", "f64");
  add_unary<double, double, Neg>(r, "neg", "", "f64");
  add_binary<double, double, double, Max>(r, "max", "", "f64");
  add_binary<double, double, double, Min>(r, "min", "", "f64");
  add_binary<double, double, double, CopySign>(r, "copysign", "", "f64");
  add_unary<double, double, RcpApprox>(r, "rcp", "approx.ftz", "f64");
  add_unary<double, double, RsqrtApproxFtz>(r, "rsqrt", "approx.ftz", "f64");
  add_unary<double, double, RsqrtApprox>(r, "rsqrt", "approx", "f64");
}

}  // namespace kw::ptxvm::KW_ISA

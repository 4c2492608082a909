// The errors that the PTX ISA states for .approx and .full instructions, against f64.

#include <cmath>
#include <cstring>

#include "ptxvm/conformance.h"

namespace kw::ptxvm::conformance {
namespace {

template <class T>
T at(const std::vector<std::byte>& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, &bytes[offset], sizeof value);
  return value;
}

// The number that element `half` of a value of `type` stands for.
double number(const std::string& type, const std::vector<std::byte>& bytes, std::size_t offset,
              unsigned half) {
  if (type == "f64") return at<double>(bytes, offset);
  if (type == "f32") return static_cast<double>(at<float>(bytes, offset));
  const auto code = at<std::uint16_t>(bytes, offset + 2 * half);
  if (type[0] == 'b') {
    const std::uint32_t wide = static_cast<std::uint32_t>(code) << 16;
    float f;
    std::memcpy(&f, &wide, sizeof f);
    return static_cast<double>(f);
  }
  const int exponent = code >> 10 & 31, fraction = code & 1023;
  const double sign = (code & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  return sign *
         (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

// What is allowed around the exact value y of f(x), or 0 where nothing is stated.
double allowed(const Case& c, double x, double divisor, double y) {
  const auto is = [&](const char* prefix) { return c.name.starts_with(prefix); };
  const bool ftz = c.name.find(".ftz") != std::string::npos;
  const bool f64 = c.inputs == "f64", f32 = c.inputs == "f32", brain = c.inputs[0] == 'b';
  if (!std::isfinite(x) || !std::isfinite(y) ||
      (ftz && x != 0 && std::fabs(x) < (f64 ? 0x1p-1022 : 0x1p-126)))
    return 0;
  const double least = f64 ? 0x1p-1022 : 0x1p-126, most = f64 ? 0x1p1023 : 0x1p127;
  if (std::fabs(y) >= most || ((f32 || f64) && y != 0 && std::fabs(y) < least)) return 0;
  if (c.inputs.starts_with("f16") && std::fabs(y) >= 65000) return 0;
  const double magnitude = std::fabs(y);
  if (f64) return x == 0 || std::fabs(x) < least ? 0 : 0x1p-19 * magnitude;
  if (is("ex2"))
    return f32     ? 0x1p-22 * magnitude
           : brain ? 0x1p-7 * magnitude + 0x1p-126
                   : std::max(0x1p-9 * magnitude, 0x1p-24);
  if (is("tanh")) return f32 ? 0x1p-11 * magnitude : brain ? 0x1p-8 : 0x1p-10;
  if (is("lg2")) return x >= 0.5 && x <= 2 ? 0x1p-22 : 0x1p-22 * magnitude;
  if (is("rcp")) return 0x1p-23 * magnitude;
  if (is("sqrt")) return 0x1p-23 * magnitude;
  if (is("rsqrt")) return std::exp2(-22.9) * magnitude;
  if (is("sin") || is("cos")) return std::fabs(x) <= 3.1415927 ? std::exp2(-20.5) : 0;
  if (is("div.approx"))
    return std::fabs(divisor) >= 0x1p-126 && std::fabs(divisor) <= 0x1p126 ? 0x1p-22 * magnitude
                                                                           : 0;
  if (is("div.full")) return std::fabs(divisor) >= 0x1p-126 ? 0x1p-22 * magnitude : 0;
  return 0;
}

double exact(const Case& c, double x, double divisor) {
  const std::string f = c.name.substr(0, c.name.find('.'));
  if (f == "ex2") return std::exp2(x);
  if (f == "lg2") return x > 0 ? std::log2(x) : std::nan("");
  if (f == "rcp") return 1 / x;
  if (f == "sqrt") return std::sqrt(x);
  if (f == "rsqrt") return 1 / std::sqrt(x);
  if (f == "sin") return std::sin(x);
  if (f == "cos") return std::cos(x);
  if (f == "tanh") return std::tanh(x);
  return x / divisor;
}

}  // namespace

Deviation deviation(const Case& c, const std::vector<std::byte>& results) {
  const std::vector<std::byte> in = inputs(c.inputs);
  Deviation out;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (unsigned half = 0; half < (c.inputs.ends_with("x2") ? 2u : 1u); ++half) {
      const double x = number(c.inputs, in, lane * kRecordBytes, half);
      const double divisor = number(c.inputs, in, lane * kRecordBytes + 16, half);
      const double y = exact(c, x, divisor), room = allowed(c, x, divisor, y);
      if (room == 0) continue;
      const double error =
          std::fabs(number(c.inputs, results, lane * kResultBytes, half) - y) / room;
      ++out.checked;
      if (error > out.worst || error != error) {
        out.worst = error != error ? HUGE_VAL : error;
        out.lane = lane;
      }
    }
  }
  return out;
}

}  // namespace kw::ptxvm::conformance

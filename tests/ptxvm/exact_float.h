#pragma once
// Floating point by definition: values as integers of any size times powers of two, computed
// exactly and rounded once. Shares nothing with the virtual machine.

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kw::ptxvm::exact {

using Integer = boost::multiprecision::cpp_int;

struct Format {
  std::string_view name;
  int bits, precision;  // precision counts the leading one
  int least;            // exponent of the least normal number
  bool infinities = true;
  std::uint64_t nan = 0;  // what results are; 0: any

  int exponent_bits() const { return bits - precision; }
  std::uint64_t greatest() const;  // code of the greatest finite number
  std::uint64_t infinity() const { return ((1ull << exponent_bits()) - 1) << (precision - 1); }
  std::uint64_t sign() const { return 1ull << (bits - 1); }
};

inline constexpr Format kFormats[] = {
    {"f16", 16, 11, -14, true, 0x7fff},      {"bf16", 16, 8, -126, true, 0x7fff},
    {"f32", 32, 24, -126, true, 0x7fffffff}, {"f64", 64, 53, -1022, true, 0},
    {"e4m3", 8, 4, -6, false, 0x7f},         {"e5m2", 8, 3, -14, true, 0x7f}};
/// By name, "f32"; nullptr if it is none.
const Format* format(std::string_view name);

/// (magnitude + a fraction in (0, 1) if `more`) * 2^exponent. Magnitude 0: a zero.
struct Number {
  enum class Kind : std::uint8_t { Finite, Infinite, Nan };
  Kind kind = Kind::Finite;
  bool negative = false;
  Integer magnitude = 0;
  int exponent = 0;
  bool more = false;

  bool nan() const { return kind == Kind::Nan; }
  bool infinite() const { return kind == Kind::Infinite; }
  bool zero() const { return kind == Kind::Finite && magnitude == 0; }
};

enum class Rounding { Nearest, Zero, Down, Up, NearestAway };
std::optional<Rounding> rounding(std::string_view modifier);  // rn rz rm rp rna; rni ...

Number decode(const Format& f, std::uint64_t code);
Number integer(const Integer& value);
Number add(const Number& a, const Number& b, Rounding mode);  // the mode gives zeros their sign
Number multiply(const Number& a, const Number& b);
Number divide(const Number& a, const Number& b);
Number square_root(const Number& a);
Number negate(Number a);
/// The integer that the number rounds to; finite numbers only.
Number to_integer(const Number& a, Rounding mode);
int compare_to_one(const Number& a);  // of |a|

/// A zero of its sign if it is subnormal in f: tiny even after rounding with exponents unbounded.
Number flush(const Format& f, Number a, Rounding mode = Rounding::Nearest);
std::uint64_t encode(const Format& f, const Number& a, Rounding mode, bool satfinite = false);

}  // namespace kw::ptxvm::exact

#include "ptxvm/exact_float.h"

#include <utility>

namespace kw::ptxvm::exact {
namespace {

int exponent_of(const Number& a) {  // of the leading bit
  return a.exponent + static_cast<int>(msb(a.magnitude));
}

Number special(Number::Kind kind, bool negative = false) {
  Number out;
  out.kind = kind;
  out.negative = negative;
  return out;
}

// magnitude * 2^exponent to a multiple of 2^quantum, away from or towards zero as the mode says.
Integer rounded(const Number& a, int quantum, Rounding mode) {
  if (a.exponent >= quantum)  // `more` comes with bits to spare
    return a.magnitude << (a.exponent - quantum);
  const int shift = quantum - a.exponent;
  const Integer whole = a.magnitude >> shift;
  const Integer rest = a.magnitude - (whole << shift), half = Integer(1) << (shift - 1);
  if (rest == 0 && !a.more) return whole;
  bool up = false;
  switch (mode) {
    case Rounding::Nearest:
      up = rest > half || (rest == half && (a.more || bit_test(whole, 0)));
      break;
    case Rounding::NearestAway:
      up = rest >= half;
      break;
    case Rounding::Zero:
      break;
    case Rounding::Down:
      up = a.negative;
      break;
    case Rounding::Up:
      up = !a.negative;
      break;
  }
  return up ? whole + 1 : whole;
}

}  // namespace

std::uint64_t Format::greatest() const {
  return infinities ? infinity() - 1 : (1ull << (bits - 1)) - 2;  // e4m3: its last code is the NaN
}

const Format* format(std::string_view name) {
  for (const Format& f : kFormats) {
    if (f.name == name) return &f;
  }
  return nullptr;
}

std::optional<Rounding> rounding(std::string_view m) {
  if (m == "rn" || m == "rni") return Rounding::Nearest;
  if (m == "rz" || m == "rzi") return Rounding::Zero;
  if (m == "rm" || m == "rmi") return Rounding::Down;
  if (m == "rp" || m == "rpi") return Rounding::Up;
  if (m == "rna") return Rounding::NearestAway;
  return {};
}

Number decode(const Format& f, std::uint64_t code) {
  const std::uint64_t fraction = code & ((1ull << (f.precision - 1)) - 1);
  const std::uint64_t biased = code >> (f.precision - 1) & ((1ull << f.exponent_bits()) - 1);
  const std::uint64_t magnitude = code & (f.sign() - 1);
  Number out;
  out.negative = (code & f.sign()) != 0;
  if (magnitude > f.greatest()) {
    out.kind =
        f.infinities && magnitude == f.infinity() ? Number::Kind::Infinite : Number::Kind::Nan;
    return out;
  }
  out.magnitude = biased == 0 ? fraction : fraction | 1ull << (f.precision - 1);
  out.exponent = f.least - (f.precision - 1) + (biased == 0 ? 0 : static_cast<int>(biased) - 1);
  return out;
}

Number integer(const Integer& value) {
  Number out;
  out.negative = value < 0;
  out.magnitude = out.negative ? Integer(-value) : value;
  return out;
}

Number negate(Number a) {
  a.negative = !a.negative;
  return a;
}

Number add(const Number& a, const Number& b, Rounding mode) {
  if (a.nan() || b.nan() || (a.infinite() && b.infinite() && a.negative != b.negative))
    return special(Number::Kind::Nan);
  if (a.infinite()) return a;
  if (b.infinite()) return b;
  Number out;
  out.exponent = std::min(a.exponent, b.exponent);
  const auto value = [&](const Number& x) {
    const Integer m = x.magnitude << (x.exponent - out.exponent);
    return x.negative ? Integer(-m) : m;
  };
  const Integer sum = value(a) + value(b);
  if (sum == 0) {
    out.negative =
        a.zero() && b.zero() && a.negative == b.negative ? a.negative : mode == Rounding::Down;
    return out;
  }
  out.negative = sum < 0;
  out.magnitude = out.negative ? Integer(-sum) : sum;
  return out;
}

Number multiply(const Number& a, const Number& b) {
  const bool negative = a.negative != b.negative;
  if (a.nan() || b.nan() || (a.infinite() && b.zero()) || (a.zero() && b.infinite()))
    return special(Number::Kind::Nan);
  if (a.infinite() || b.infinite()) return special(Number::Kind::Infinite, negative);
  Number out;
  out.negative = negative;
  out.magnitude = a.magnitude * b.magnitude;
  out.exponent = a.exponent + b.exponent;
  return out;
}

Number divide(const Number& a, const Number& b) {
  const bool negative = a.negative != b.negative;
  if (a.nan() || b.nan() || (a.infinite() && b.infinite()) || (a.zero() && b.zero()))
    return special(Number::Kind::Nan);
  if (a.infinite() || b.zero()) return special(Number::Kind::Infinite, negative);
  Number out;
  out.negative = negative;
  if (a.zero() || b.infinite()) return out;
  constexpr int kMore = 128;  // bits beyond those of any format
  const Integer scaled = a.magnitude << kMore;
  out.magnitude = scaled / b.magnitude;
  out.more = out.magnitude * b.magnitude != scaled;
  out.exponent = a.exponent - b.exponent - kMore;
  return out;
}

Number square_root(const Number& a) {
  if (a.nan() || (a.negative && !a.zero())) return special(Number::Kind::Nan);
  if (a.infinite() || a.zero()) return a;
  const int shift = 256 + (a.exponent & 1);
  const Integer scaled = a.magnitude << shift;
  Number out;
  out.magnitude = sqrt(scaled);
  out.more = out.magnitude * out.magnitude != scaled;
  out.exponent = (a.exponent - shift) / 2;
  return out;
}

Number to_integer(const Number& a, Rounding mode) {
  Number out = a;
  out.magnitude = rounded(a, 0, mode);
  out.exponent = 0;
  out.more = false;
  return out;
}

int compare_to_one(const Number& a) {
  if (a.zero()) return -1;
  if (const int e = exponent_of(a); e != 0) return e < 0 ? -1 : 1;
  return a.more || a.magnitude != Integer(1) << msb(a.magnitude) ? 1 : 0;
}

Number flush(const Format& f, Number a, Rounding mode) {
  if (a.kind != Number::Kind::Finite || a.zero() || exponent_of(a) >= f.least) return a;
  const Integer kept = rounded(a, exponent_of(a) - (f.precision - 1), mode);
  const bool reaches =
      exponent_of(a) == f.least - 1 && msb(kept) >= static_cast<unsigned>(f.precision);
  if (reaches) return a;
  a.magnitude = 0;
  a.more = false;
  return a;
}

std::uint64_t encode(const Format& f, const Number& a, Rounding mode, bool satfinite) {
  if (a.nan()) return f.nan;
  const std::uint64_t sign = a.negative ? f.sign() : 0;
  if (a.infinite()) return sign | (satfinite ? f.greatest() : f.infinity());
  if (a.zero()) return sign;
  int quantum = std::max(exponent_of(a), f.least) - (f.precision - 1);
  Integer kept = rounded(a, quantum, mode);
  if (kept == 0) return sign;
  if (msb(kept) >= static_cast<unsigned>(f.precision)) {
    kept >>= 1;
    ++quantum;
  }
  const std::uint64_t significand = kept.convert_to<std::uint64_t>();
  const auto steps = static_cast<std::uint64_t>(quantum + (f.precision - 1) - f.least);
  // Consecutive codes are consecutive numbers, from the subnormal ones on.
  const std::uint64_t code = significand + (steps << (f.precision - 1));
  if (code <= f.greatest()) return sign | code;
  const bool away = mode == Rounding::Nearest || mode == Rounding::NearestAway ||
                    (mode == Rounding::Down ? a.negative : mode == Rounding::Up && !a.negative);
  return sign | (satfinite || !away ? f.greatest() : f.infinity());
}

}  // namespace kw::ptxvm::exact

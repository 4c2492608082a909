#include "kw/reference/number_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace kw::reference {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// floor(log2 v) of a positive finite value, exact.
int ilog2(double v) noexcept { return std::ilogb(v); }

const Element& e4m3() {
  static const Element element = [] {
    Element e;
    e.kind = ElementKind::Float;
    e.bits = 8, e.exponent_bits = 4, e.mantissa_bits = 3, e.bias = 7;
    e.max_value = 448;
    e.has_nan = true;
    return e;
  }();
  return element;
}

double decode_float(const Element& element, std::uint32_t code) noexcept {
  const std::uint32_t magnitude_mask = (1u << (element.bits - 1)) - 1;
  const std::uint32_t magnitude = code & magnitude_mask;
  const double sign = (code >> (element.bits - 1)) & 1 ? -1 : 1;
  const int y = element.mantissa_bits;
  const std::uint32_t fraction = magnitude & ((1u << y) - 1);
  const auto exponent = static_cast<int>(magnitude >> y);
  const int top = (1 << element.exponent_bits) - 1;
  if (element.has_infinity && exponent == top) return fraction == 0 ? sign * kInfinity : kNan;
  if (!element.has_infinity && element.has_nan && magnitude == magnitude_mask) return kNan;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - element.bias - y);
  return sign * std::ldexp(fraction + (1u << y), exponent - element.bias - y);
}

/// e = max(ilog2|v|, 1-bias), u = 2^(e-y), r = u*RNE(|v|/u), saturating (section 2.1).
std::uint32_t encode_float(const Element& element, double v) noexcept {
  const std::uint32_t sign = std::signbit(v) ? 1u << (element.bits - 1) : 0;
  const int y = element.mantissa_bits;
  double a = std::fabs(v);
  if (a > element.max_value || std::isnan(v)) a = element.max_value;
  if (a == 0) return sign;
  const int e = std::max(ilog2(a), 1 - element.bias);
  double steps = std::nearbyint(std::ldexp(a, y - e));
  double r = std::ldexp(steps, e - y);
  if (r > element.max_value) r = element.max_value;
  if (r == 0) return sign;
  const int re = std::max(ilog2(r), 1 - element.bias);
  steps = std::ldexp(r, y - re);  // exact: 2^y <= steps < 2^(y+1), or below it when subnormal
  const auto significand = static_cast<std::uint32_t>(steps);
  const auto hidden = 1u << y;
  if (significand < hidden) return sign | significand;
  const auto exponent = static_cast<std::uint32_t>(re + element.bias);
  return sign | (exponent << y) | (significand - hidden);
}

struct Scale {
  std::uint32_t stored = 0;
  double divisor = 1;  // element = encode(x / divisor), E8M0 rules
};

/// E = smallest integer with Qmax*2^E >= a, searched exactly.
int ceil_exponent(double a, double qmax) {
  int e = ilog2(a) - ilog2(qmax) - 1;
  while (std::ldexp(qmax, e) < a) ++e;
  return e;
}

Scale e8m0_scale(const Format& format, double a) {
  const Element& element = format.element;
  const bool integer = element.kind != ElementKind::Float;
  const int shift = integer ? element.fraction_shift : 0;
  if (a == 0) return {0, std::ldexp(1.0, -127 - shift)};
  int e = 0;
  if (format.rule == ScaleRule::Ocp) {
    e = ilog2(a) - (integer ? shift : ilog2(element.max_value));
  } else {
    e = ceil_exponent(a, element.max_value);
  }
  e = std::clamp(e, -127, 127);
  const int stored = std::clamp(e + shift + 127, 0, 254);
  return {static_cast<std::uint32_t>(stored), std::ldexp(1.0, stored - 127 - shift)};
}

float fl(double v) { return static_cast<float>(v); }

void encode_block(const Format& format, std::span<const float> block, double divisor,
                  std::vector<std::uint32_t>& codes) {
  const Element& element = format.element;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const double scaled = static_cast<double>(block[i]) / divisor;
    if (element.kind == ElementKind::Float) {
      codes[i] = encode_float(element, scaled);
    } else {
      const double q = std::clamp(std::nearbyint(scaled), -element.max_value, element.max_value);
      codes[i] =
          static_cast<std::uint32_t>(static_cast<std::int32_t>(q)) & ((1u << element.bits) - 1);
    }
  }
}

/// NV: sb = E4M3(fl32(fl32(a/Qm)*g)), enc = fl32(g/sb), element = encode(fl32(x*enc)). enc may
/// overflow (a denormal block under a small sb): a zero element stays a zero.
std::uint32_t nv_block(const Format& format, std::span<const float> block, double a, float g,
                       std::vector<std::uint32_t>& codes) {
  const float ratio = fl(a) / fl(format.element.max_value);
  const std::uint32_t stored = encode_code(e4m3(), static_cast<double>(ratio * g));
  const auto sb = fl(decode_code(e4m3(), stored));
  const float enc = sb == 0 ? 0.0f : g / sb;
  std::vector<float> scaled(block.size());
  for (std::size_t i = 0; i < block.size(); ++i)
    scaled[i] = block[i] == 0 ? block[i] : block[i] * enc;
  encode_block(format, scaled, 1, codes);
  return stored;
}

struct AffineScale {
  std::uint16_t stored = 0;
  float scale = 0;
  double zero = 0;
};
/// Section 5 with V = 0, alpha = beta = 1. The scale is rounded to FP16, then kept away from zero.
AffineScale affine_scale(const Format& format, std::span<const float> block) {
  float low = 0, high = 0;
  for (const float w : block) {
    low = std::min(low, w);
    high = std::max(high, w);
  }
  const auto keep = [](float s) {
    const float floor = 1e-5f;
    return s < 0 ? std::min(s, -floor) : std::max(s, floor);
  };
  AffineScale a;
  const auto levels = static_cast<float>(1 << format.element.bits);
  float s = 0;
  if (format.rule == ScaleRule::AffineSymmetric) {
    const float m = high < -low ? -low : -high;
    s = m / (levels / 2);
    a.zero = static_cast<double>(levels / 2);
  } else {
    s = (high - low) / (levels - 1);
  }
  a.stored = half_bits(keep(fl(half_value(half_bits(s)))));
  a.scale = fl(half_value(a.stored));
  if (format.rule == ScaleRule::AffineAsymmetric) {
    const double z = std::nearbyint(static_cast<double>(-low / a.scale));
    a.zero = std::clamp(z, 0.0, static_cast<double>(levels - 1));
  }
  return a;
}

}  // namespace

double decode_code(const Element& element, std::uint32_t code) noexcept {
  switch (element.kind) {
    case ElementKind::Float:
      return decode_float(element, code);
    case ElementKind::UnsignedInt:
      return code;
    case ElementKind::SignedInt: {
      const std::uint32_t half = 1u << (element.bits - 1);
      const double q = static_cast<double>(code) - (code & half ? 2.0 * half : 0.0);
      return std::ldexp(q, -element.fraction_shift);
    }
  }
  return kNan;
}

std::uint32_t encode_code(const Element& element, double value) noexcept {
  if (element.kind == ElementKind::Float) return encode_float(element, value);
  const double q = std::nearbyint(std::ldexp(value, element.fraction_shift));
  const double low = element.kind == ElementKind::UnsignedInt ? 0 : -element.max_value;
  return static_cast<std::uint32_t>(
             static_cast<std::int32_t>(std::clamp(q, low, element.max_value))) &
         ((1u << element.bits) - 1);
}

std::uint32_t unpack_code(std::span<const std::uint8_t> row, int bits,
                          std::int64_t index) noexcept {
  std::uint32_t code = 0;
  for (int b = 0; b < bits; ++b) {
    const auto at = static_cast<std::size_t>(index * bits + b);
    code |= static_cast<std::uint32_t>((row[at / 8] >> (at % 8)) & 1) << b;
  }
  return code;
}

void pack_code(std::span<std::uint8_t> row, int bits, std::int64_t index,
               std::uint32_t code) noexcept {
  for (int b = 0; b < bits; ++b) {
    const auto at = static_cast<std::size_t>(index * bits + b);
    const auto mask = static_cast<std::uint8_t>(1u << (at % 8));
    row[at / 8] = static_cast<std::uint8_t>((row[at / 8] & ~mask) | ((code >> b) & 1 ? mask : 0));
  }
}

double half_value(std::uint16_t bits) noexcept {
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = (bits >> 10) & 0x1F;
  const int fraction = bits & 0x3FF;
  if (exponent == 31) return fraction == 0 ? sign * kInfinity : kNan;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(fraction + 1024, exponent - 25);
}

std::uint16_t half_bits(float value) noexcept {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00);
  const double a = std::fabs(static_cast<double>(value));
  if (a >= 65520) return static_cast<std::uint16_t>(sign | 0x7C00);
  if (a == 0) return sign;
  const int e = std::max(ilog2(a), -14);
  // Carries out of the fraction run into the exponent field, as they should.
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(a, 10 - e)));
  return static_cast<std::uint16_t>(sign | (((e + 14) << 10) + steps));
}

double decode_scale(ScaleKind kind, std::uint32_t stored) noexcept {
  switch (kind) {
    case ScaleKind::None:
      return 1;
    case ScaleKind::E8M0:
      return stored == 0xFF ? kNan : std::ldexp(1.0, static_cast<int>(stored) - 127);
    case ScaleKind::E4M3:
      return decode_float(e4m3(), stored);
    case ScaleKind::F16:
      return half_value(static_cast<std::uint16_t>(stored));
    case ScaleKind::F32:
      return static_cast<double>(std::bit_cast<float>(stored));
  }
  return kNan;
}

float tensor_factor(const Format& format, double amax) noexcept {
  if (amax == 0) return 1;
  const float g = fl(448 * format.element.max_value) / fl(amax);
  return std::isinf(g) ? std::numeric_limits<float>::max() : g;
}

Result<QuantizedRow> quantize_row(const Format& format, std::span<const float> row, float factor) {
  const auto k = static_cast<std::int64_t>(row.size());
  const auto size = static_cast<std::size_t>(format.block);
  const std::size_t blocks = (row.size() + size - 1) / size;
  const int bits = format.element.bits;
  const bool affine =
      format.rule == ScaleRule::AffineSymmetric || format.rule == ScaleRule::AffineAsymmetric;
  if (affine                         ? format.scale != ScaleKind::F16
      : format.rule == ScaleRule::Nv ? format.scale != ScaleKind::E4M3
                                     : format.scale != ScaleKind::E8M0) {
    return fail(Errc::Unsupported, "format {}: this scale type has no such encode rule",
                format.name);
  }
  QuantizedRow out;
  out.codes.assign((blocks * size * static_cast<std::size_t>(bits) + 7) / 8, 0);
  if (format.zero_point) out.zeros.assign((blocks * static_cast<std::size_t>(bits) + 7) / 8, 0);
  for (std::size_t b = 0; b < blocks; ++b) {
    std::vector<float> block(size, 0.0f);  // the tail is padded with zeros
    for (std::size_t i = 0; i < size && b * size + i < row.size(); ++i)
      block[i] = row[b * size + i];
    double a = 0;
    bool finite = true;
    for (const float x : block) {
      finite = finite && std::isfinite(x);
      a = std::fmax(a, std::fabs(static_cast<double>(x)));
    }
    std::vector<std::uint32_t> codes(size, 0);
    if (affine) {
      const AffineScale s = affine_scale(format, block);
      out.scales.push_back(finite ? s.stored : 0x7E00u);
      const double top = static_cast<double>((1 << bits) - 1);
      for (std::size_t i = 0; finite && i < size; ++i) {
        const double q = std::nearbyint(static_cast<double>(block[i] / s.scale));
        codes[i] = static_cast<std::uint32_t>(std::clamp(q + s.zero, 0.0, top));
      }
      if (format.zero_point) {
        pack_code(out.zeros, bits, static_cast<std::int64_t>(b),
                  finite ? static_cast<std::uint32_t>(s.zero) : 0);
      }
    } else if (!finite) {
      out.scales.push_back(format.scale == ScaleKind::E4M3 ? 0x7F : 0xFF);
    } else if (format.rule == ScaleRule::Nv) {
      out.scales.push_back(nv_block(format, block, a, factor, codes));
    } else {
      const Scale s = e8m0_scale(format, a);
      out.scales.push_back(s.stored);
      encode_block(format, block, s.divisor, codes);
    }
    for (std::size_t i = 0; i < size; ++i) {
      pack_code(out.codes, bits, static_cast<std::int64_t>(b * size + i), codes[i]);
    }
  }
  (void)k;
  return out;
}

Result<std::vector<double>> dequantize_row(const Format& format, const QuantizedRow& row,
                                           double tensor_scale, std::int64_t k) {
  const int bits = format.element.bits;
  std::vector<double> out(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < k; ++i) {
    const auto b = static_cast<std::size_t>(i / format.block);
    if (b >= row.scales.size())
      return fail(Errc::InvalidArgument, "{} scales for k = {}", row.scales.size(), k);
    if (static_cast<std::size_t>((i + 1) * bits + 7) / 8 > row.codes.size()) {
      return fail(Errc::InvalidArgument, "{} code bytes for k = {}", row.codes.size(), k);
    }
    const double scale = decode_scale(format.scale, row.scales[b]);
    double value = decode_code(format.element, unpack_code(row.codes, bits, i));
    if (format.zero_point) {
      value -= unpack_code(row.zeros, bits, static_cast<std::int64_t>(b));
    } else if (format.element.kind == ElementKind::UnsignedInt) {
      value -= std::ldexp(1.0, bits - 1);
    }
    out[static_cast<std::size_t>(i)] = value * scale * tensor_scale;
  }
  return out;
}

}  // namespace kw::reference

#include "element.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace kw::agent::vm {
namespace {

using Kind = Element::Kind;

constexpr std::array kElements{
    Element{"f64", Kind::Float, 8, "<f8"},    Element{"f32", Kind::Float, 4, "<f4"},
    Element{"f16", Kind::Float, 2, "<f2"},    Element{"bf16", Kind::Float, 2, "<u2"},
    Element{"i64", Kind::Signed, 8, "<i8"},   Element{"i32", Kind::Signed, 4, "<i4"},
    Element{"i16", Kind::Signed, 2, "<i2"},   Element{"i8", Kind::Signed, 1, "|i1"},
    Element{"u64", Kind::Unsigned, 8, "<u8"}, Element{"u32", Kind::Unsigned, 4, "<u4"},
    Element{"u16", Kind::Unsigned, 2, "<u2"}, Element{"u8", Kind::Unsigned, 1, "|u1"},
    Element{"bool", Kind::Bool, 1, "|b1"},
};

// A 16-bit float with `mantissa` bits of fraction, from one that has more: nearest even. `value` is
// a double, so that f16 is rounded once.
std::uint16_t narrow(double value, int mantissa) {
  const int exponent_bits = 15 - mantissa;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const std::uint32_t sign = std::signbit(value) ? 0x8000u : 0u;
  const std::uint32_t infinity = ((1u << exponent_bits) - 1) << mantissa;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | infinity | 1u << (mantissa - 1));
  const double size = std::fabs(value);
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | infinity);
  if (size == 0) return static_cast<std::uint16_t>(sign);
  int exponent = 0;
  (void)std::frexp(size, &exponent);  // size = [0.5, 1) * 2^exponent
  exponent = std::max(exponent - 1, 1 - bias);
  // In units of the last place; nearbyint rounds to nearest even, and a carry raises the exponent.
  const double units = std::nearbyint(std::ldexp(size, mantissa - exponent));
  const std::uint32_t below = static_cast<std::uint32_t>(exponent + bias - 1) << mantissa;
  return static_cast<std::uint16_t>(sign |
                                    std::min(below + static_cast<std::uint32_t>(units), infinity));
}

template <class T>
void put(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

template <class T>
T clamped(double value) {
  if (std::isnan(value)) return T{};
  const double rounded = std::nearbyint(value);
  // 2^63 and 2^64 are doubles, the largest integers below them are not.
  if (rounded >= std::ldexp(1.0, std::numeric_limits<T>::digits)) {
    return std::numeric_limits<T>::max();
  }
  if (rounded <= static_cast<double>(std::numeric_limits<T>::min())) {
    return std::numeric_limits<T>::min();
  }
  return static_cast<T>(rounded);
}

template <class T>
Result<std::string> integer_bytes(const Element& element, std::string_view text) {
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    digits.remove_prefix(2);
    base = 16;
  }
  std::uint64_t size = 0;
  const auto end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, size, base);
  const bool number = error == std::errc{} && stopped == end && !digits.empty();
  const auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  const std::uint64_t least = std::is_signed_v<T> ? most + 1 : 0;  // its magnitude
  if (!number || size > (negative ? least : most)) {
    return fail(Errc::InvalidArgument, "'{}' is no {}: an integer from {} to {}", text,
                element.name, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  }
  const auto value = static_cast<T>(negative ? 0 - size : size);
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

Result<std::string> float_bytes(const Element& element, std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double value = std::strtod(copy.c_str(), &end);
  const bool spaced = copy.empty() || copy.front() == ' ' || copy.front() == '\t';
  if (spaced || end != copy.c_str() + copy.size()) {
    return fail(Errc::InvalidArgument, "'{}' is no {}: a number such as 1.5, -2e-3, inf or nan",
                text, element.name);
  }
  std::array<std::byte, 8> bytes{};
  store(element, value, bytes.data());
  return std::string(reinterpret_cast<const char*>(bytes.data()), element.bytes);
}

}  // namespace

std::span<const Element> elements() noexcept { return kElements; }

const Element* find_element(std::string_view name) noexcept {
  for (const Element& each : kElements) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

const Element* find_npy_element(std::string_view descr) noexcept {
  for (const Element& each : kElements) {
    if (each.name == "bf16") continue;  // two bytes of bits are read as u16
    // One byte has no order: "|i1", "<i1" and "=i1" are the same.
    const bool same = each.npy == descr || (each.bytes == 1 && descr.size() == 3 &&
                                            descr.substr(1) == each.npy.substr(1));
    if (same) return &each;
  }
  return nullptr;
}

Result<std::string> number_bytes(const Element& element, std::string_view text) {
  switch (element.kind) {
    case Kind::Float:
      return float_bytes(element, text);
    case Kind::Bool:
      if (text == "true" || text == "1") return std::string(1, '\1');
      if (text == "false" || text == "0") return std::string(1, '\0');
      return fail(Errc::InvalidArgument, "'{}' is no bool: true or false", text);
    case Kind::Signed:
      switch (element.bytes) {
        case 1:
          return integer_bytes<std::int8_t>(element, text);
        case 2:
          return integer_bytes<std::int16_t>(element, text);
        case 4:
          return integer_bytes<std::int32_t>(element, text);
        default:
          return integer_bytes<std::int64_t>(element, text);
      }
    case Kind::Unsigned:
      switch (element.bytes) {
        case 1:
          return integer_bytes<std::uint8_t>(element, text);
        case 2:
          return integer_bytes<std::uint16_t>(element, text);
        case 4:
          return integer_bytes<std::uint32_t>(element, text);
        default:
          return integer_bytes<std::uint64_t>(element, text);
      }
  }
  return fail(Errc::Internal, "an element of no kind");
}

void store(const Element& element, double value, std::byte* to) noexcept {
  const bool is_signed = element.kind == Kind::Signed;
  switch (element.kind) {
    case Kind::Float:
      if (element.name == "f64") return put(to, value);
      if (element.name == "f32") return put(to, static_cast<float>(value));
      return put(to, narrow(value, element.name == "f16" ? 10 : 7));
    case Kind::Bool:
      return put(to, static_cast<std::uint8_t>(value != 0));
    case Kind::Signed:
    case Kind::Unsigned:
      switch (element.bytes) {
        case 1:
          return is_signed ? put(to, clamped<std::int8_t>(value))
                           : put(to, clamped<std::uint8_t>(value));
        case 2:
          return is_signed ? put(to, clamped<std::int16_t>(value))
                           : put(to, clamped<std::uint16_t>(value));
        case 4:
          return is_signed ? put(to, clamped<std::int32_t>(value))
                           : put(to, clamped<std::uint32_t>(value));
        default:
          return is_signed ? put(to, clamped<std::int64_t>(value))
                           : put(to, clamped<std::uint64_t>(value));
      }
  }
}

}  // namespace kw::agent::vm

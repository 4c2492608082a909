#pragma once
// Numbers as kernels and .npy files hold them: names, sizes and the bytes of a value.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kw/core/result.h"

namespace kw::agent::vm {

struct Element {
  enum class Kind { Float, Signed, Unsigned, Bool };

  std::string_view name;  // "f32"
  Kind kind = Kind::Float;
  std::uint32_t bytes = 0;
  /// NumPy's name of it. bf16 has none: its bits travel as unsigned integers.
  std::string_view npy;
};

/// f64 f32 f16 bf16, i64 i32 i16 i8, u64 u32 u16 u8, bool.
std::span<const Element> elements() noexcept;
/// nullptr if there is no such type.
const Element* find_element(std::string_view name) noexcept;
/// The element that NumPy calls `descr` ("<f4", "|u1", "|b1"); nullptr: none of ours.
const Element* find_npy_element(std::string_view descr) noexcept;

/// The bytes of the number that `text` spells, rounded to nearest even. Decimal, 0x... for
/// integers, inf and nan for floats, true and false for bool. InvalidArgument names the range.
Result<std::string> number_bytes(const Element& element, std::string_view text);

/// Writes `value` as an element: floats round to nearest even (and overflow to infinity), integers
/// take the nearest integer within their range.
void store(const Element& element, double value, std::byte* to) noexcept;

}  // namespace kw::agent::vm

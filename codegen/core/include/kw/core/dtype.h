#pragma once
// Element types that lie in memory as they are. Packed and scaled encodings are Formats (format.h).

#include <cstddef>
#include <optional>
#include <string_view>

namespace kw {

enum class DType { F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool };

/// Bytes of one element.
std::size_t size_of(DType type) noexcept;
/// "f32", "bf16", "i64", "bool": the spelling in every JSON document.
std::string_view to_string(DType type) noexcept;
std::optional<DType> parse_dtype(std::string_view text) noexcept;
bool is_floating(DType type) noexcept;

}  // namespace kw

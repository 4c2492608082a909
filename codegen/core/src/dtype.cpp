#include "kw/core/dtype.h"

#include <array>
#include <utility>

namespace kw {
namespace {

struct Row {
  DType type;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<Row, 10> kRows{{{DType::F64, "f64", 8},
                                     {DType::F32, "f32", 4},
                                     {DType::F16, "f16", 2},
                                     {DType::BF16, "bf16", 2},
                                     {DType::I64, "i64", 8},
                                     {DType::I32, "i32", 4},
                                     {DType::I16, "i16", 2},
                                     {DType::I8, "i8", 1},
                                     {DType::U8, "u8", 1},
                                     {DType::Bool, "bool", 1}}};

const Row& row(DType type) noexcept { return kRows[static_cast<std::size_t>(type)]; }

}  // namespace

std::size_t size_of(DType type) noexcept { return row(type).size; }
std::string_view to_string(DType type) noexcept { return row(type).name; }

std::optional<DType> parse_dtype(std::string_view text) noexcept {
  for (const Row& candidate : kRows) {
    if (candidate.name == text) return candidate.type;
  }
  return std::nullopt;
}

bool is_floating(DType type) noexcept {
  return type == DType::F64 || type == DType::F32 || type == DType::F16 || type == DType::BF16;
}

}  // namespace kw

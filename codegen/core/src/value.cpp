#include "kw/core/value.h"

#include <fmt/ranges.h>

namespace kw {

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::Input:
      return "input";
    case Role::Weight:
      return "weight";
    case Role::State:
      return "state";
    case Role::Output:
      return "output";
    case Role::Scratch:
      return "scratch";
  }
  return "scratch";
}

std::optional<Role> parse_role(std::string_view text) noexcept {
  for (const Role role : {Role::Input, Role::Weight, Role::State, Role::Output, Role::Scratch}) {
    if (to_string(role) == text) return role;
  }
  return std::nullopt;
}

Result<std::int64_t> element_count(const Shape& shape) {
  constexpr std::int64_t kLimit = std::int64_t{1} << 62;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      return fail(Errc::InvalidArgument, "negative extent in shape {}", to_string(shape));
    if (__builtin_mul_overflow(count, extent, &count) || count > kLimit) {
      return fail(Errc::InvalidArgument, "shape {} has more than 2^62 elements", to_string(shape));
    }
  }
  return count;
}

Result<std::int64_t> byte_size(const Value& value) {
  KW_ASSIGN(std::int64_t bytes, element_count(value.shape));
  if (__builtin_mul_overflow(bytes, static_cast<std::int64_t>(size_of(value.dtype)), &bytes)) {
    return fail(Errc::InvalidArgument, "value '{}' of shape {} has more than 2^63 bytes",
                value.name, to_string(value.shape));
  }
  return bytes;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace kw

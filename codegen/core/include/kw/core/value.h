#pragma once
// A tensor as the graph sees it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/dtype.h"
#include "kw/core/result.h"

namespace kw {

/// Extents, outermost first; {} is a scalar tensor.
using Shape = std::vector<std::int64_t>;

enum class Role {
  Input,    // given by the caller, fresh for every run
  Weight,   // a parameter or buffer of the model; constant between runs
  State,    // read and declared as updated (running statistics, a KV cache)
  Output,   // written by the task
  Scratch,  // intermediate of a graph, or workspace of a plan
};

std::string_view to_string(Role role) noexcept;
std::optional<Role> parse_role(std::string_view text) noexcept;

struct Value {
  std::string name;
  DType dtype = DType::F32;
  Shape shape;
  Shape strides;       // in elements; empty means contiguous, row-major
  std::string format;  // name of a Format when the bytes are codes of it; empty otherwise
  Role role = Role::Scratch;
};

/// Number of elements; an error if an extent is negative or the product passes 2^62.
Result<std::int64_t> element_count(const Shape& shape);
/// Bytes of a contiguous value; the same errors.
Result<std::int64_t> byte_size(const Value& value);
/// Row-major strides in elements.
Shape contiguous_strides(const Shape& shape);
/// "[64, 128]"
std::string to_string(const Shape& shape);

}  // namespace kw

#pragma once
// Tensors of the reference interpreter: every value in double, each with the error that an honest
// implementation may have there.

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "kw/core/result.h"
#include "kw/core/value.h"

namespace kw::reference {

/// A bound that says "not judged here": the exact result depends on the order of operations (an
/// intermediate overflows, a tie that rounding decides).
inline constexpr double kUnjudged = std::numeric_limits<double>::infinity();

/// Contiguous, row-major.
struct Tensor {
  Shape shape;
  std::vector<double> value;
  std::vector<double> bound;      // largest honest |y - y*|; empty: exact
  std::vector<double> magnitude;  // of contractions: c, the sum of magnitudes; empty otherwise

  std::size_t size() const noexcept { return value.size(); }
  double bound_at(std::size_t i) const noexcept { return bound.empty() ? 0.0 : bound[i]; }
};

/// Zeros, exact. The extents must have been validated (element_count).
Tensor make_tensor(Shape shape);

/// The elements of a buffer as it lies in memory: strides and dtype of `value` are honoured.
/// Errors: InvalidArgument when the bytes are fewer than the strides reach.
Result<Tensor> decode_tensor(const Value& value, std::span<const std::byte> bytes);
/// One element of a contiguous buffer.
double decode_element(DType type, const std::byte* bytes) noexcept;
/// Bytes of a contiguous buffer that holds the tensor's values, rounded to nearest even where the
/// dtype is narrower (for tests).
std::vector<std::byte> encode_tensor(const Tensor& tensor, DType type);

}  // namespace kw::reference

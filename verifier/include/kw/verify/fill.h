#pragma once
// How a buffer is filled before a trial. The same specification gives the same bytes on a CPU and
// on a GPU: Philox numbers, integer arithmetic on bits, and single correctly rounded float
// operations only.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/format.h"
#include "kw/core/task.h"

namespace kw::verify {

/// Value families (verification.md V11). `AsDrawn` follows the task; the others replace the source
/// and keep dtype and structure. Normal numbers are sums of twelve uniforms, so that they are exact
/// everywhere.
enum class Family {
  AsDrawn,
  Uniform,  // [-1, 1)
  Normal,
  Coherent,   // positive, mantissas just below the TF32, FP16 and BF16 rounding tie, random high
              // bits; codes that stand for positive numbers, so that no sum hides the roundings
  Shifted,    // uniform + 1000
  Spiky,      // normal, one in 512 scaled by 2^12..2^20
  Denormal,   // around and below the smallest normal
  Huge,       // around 2^60 (products stay finite)
  RowScaled,  // rows scaled by powers of two spread over 2^+-20
  NonFinite,  // normal with a few NaN, +Inf and -Inf
  Constant,
};
std::string_view to_string(Family family) noexcept;

struct FillSpec {
  DType dtype = DType::F32;
  std::int64_t elements = 0;
  std::int64_t row = 1;  // innermost extent, for families that act on rows
  std::int64_t rows = 1;  // rows of one matrix, for triangles
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  // purpose: one per buffer and trial
  Family family = Family::AsDrawn;
  std::vector<DrawStep> steps;
  Format format;  // for Codes and Scales; its name is empty otherwise
  bool zero_points = false;  // Codes that are subtracted from other codes
  bool coarse = false;  // Coherent: below the ties of FP8, for a policy that allows 16-bit operands
};

/// Writes elements * size_of(dtype) bytes.
Status fill(const FillSpec& spec, std::span<std::byte> out);

}  // namespace kw::verify

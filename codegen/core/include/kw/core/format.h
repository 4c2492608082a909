#pragma once
// How numbers lie in memory: data, not code. A new format is a JSON file (codegen/formats/*.json).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/result.h"

namespace kw {

enum class ElementKind { Float, SignedInt, UnsignedInt };  // ternary and codebooks: later releases

/// ExMy minifloat or two's complement / unsigned integer code of `bits` bits.
struct Element {
  ElementKind kind = ElementKind::Float;
  int bits = 8;
  int exponent_bits = 4;      // Float only
  int mantissa_bits = 3;      // Float only
  int bias = 7;               // Float only
  double max_value = 448;     // largest finite magnitude, in units of the code (Qmax)
  bool has_infinity = false;  // E5M2
  bool has_nan = false;       // E4M3, E5M2
  int fraction_shift = 0;     // SignedInt: value = q * 2^-fraction_shift * scale (MXINT8: 6)
};

enum class ScaleKind { None, E8M0, E4M3, F16, F32 };
/// How the encoder picks a block's scale (formats of the MX and NV families, and affine groups).
enum class ScaleRule { None, Ceil, Ocp, Nv, AffineSymmetric, AffineAsymmetric };

struct Format {
  std::string name;  // "mxfp4"
  Element element;
  int block = 32;  // elements along the contraction dimension that share a scale
  ScaleKind scale = ScaleKind::E8M0;
  ScaleRule rule = ScaleRule::Ceil;
  bool tensor_scale = false;  // one FP32 factor per tensor above the block scales (NVFP4, NVINT4)
  bool zero_point = false;    // unsigned codes with an integer zero per block (WOQ asymmetric)
};

/// Bytes of the packed codes of one row of k elements: ceil(k/block)*block elements, low nibble
/// first.
Result<std::int64_t> code_bytes_per_row(const Format& format, std::int64_t k);
/// Scales of one row.
Result<std::int64_t> blocks_per_row(const Format& format, std::int64_t k);
std::int64_t scale_bytes(const Format& format) noexcept;

Result<Format> parse_format(std::string_view json);
std::string to_json(const Format& format);

}  // namespace kw

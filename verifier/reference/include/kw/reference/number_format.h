#pragma once
// Decoding and encoding of block formats in double and in single, named float32 steps
// (formats_and_systems.md sections 2 and 5). Independent of the generator's loaders and storers.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kw/core/format.h"
#include "kw/core/result.h"

namespace kw::reference {

/// Value of one element code: NaN and Inf codes give NaN and Inf; integer codes give
/// q * 2^-fraction_shift (signed) or the code itself (unsigned).
double decode_code(const Element& element, std::uint32_t code) noexcept;
/// Nearest code, ties to the even code, saturating. NaN and Inf saturate too (encoders write 0 for
/// such blocks before they get here).
std::uint32_t encode_code(const Element& element, double value) noexcept;

/// Code `index` of a row of packed codes, little-endian bit order (4-bit: low nibble first).
std::uint32_t unpack_code(std::span<const std::uint8_t> row, int bits, std::int64_t index) noexcept;
void pack_code(std::span<std::uint8_t> row, int bits, std::int64_t index,
               std::uint32_t code) noexcept;

/// Value of a stored scale: E8M0 byte, E4M3 byte, FP16 or FP32 bits.
double decode_scale(ScaleKind kind, std::uint32_t stored) noexcept;
/// Bits of the FP16 nearest to a float, ties to even.
std::uint16_t half_bits(float value) noexcept;
double half_value(std::uint16_t bits) noexcept;

/// One row of k elements, quantised.
struct QuantizedRow {
  std::vector<std::uint8_t> codes;    // packed
  std::vector<std::uint32_t> scales;  // stored bits, one per block
  std::vector<std::uint8_t> zeros;    // packed, zero_point formats only
};

/// The factor g = fl32(448*Qmax / amax) of formats with a tensor scale; the stored scale is
/// fl32(1/g). amax is taken over finite elements.
float tensor_factor(const Format& format, double amax) noexcept;

/// `factor` is tensor_factor() of the whole tensor where the format has a tensor scale, otherwise
/// ignored. Errors: Unsupported for a combination of rule and scale that no format uses.
Result<QuantizedRow> quantize_row(const Format& format, std::span<const float> row, float factor);

/// value = decode(code) * scale * tensor_scale, or scale * (code - zero).
Result<std::vector<double>> dequantize_row(const Format& format, const QuantizedRow& row,
                                           double tensor_scale, std::int64_t k);

}  // namespace kw::reference

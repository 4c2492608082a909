#pragma once
// Scalar types of PTX and the register classes that hold them.

#include <cstdint>
#include <string_view>

namespace kw::ptxvm {

enum class Type : std::uint8_t {
  None,
  B8,
  B16,
  B32,
  B64,
  B128,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  F16x2,
  BF16,
  BF16x2,
  F32,
  F64,
  TF32,
  E4M3x2,
  E5M2x2,
  E4M3,
  E5M2,
  E2M1x2,
  E2M3x2,
  E3M2x2,
  UE8M0x2,
  U16x2,
  S16x2,
  Pred,
  Opaque,
};

/// Type::None if the text (without the leading dot) names no type.
Type type_from_name(std::string_view name) noexcept;
std::string_view type_name(Type type) noexcept;

/// Bytes in memory; a predicate has none and counts as 0.
std::uint32_t size_of(Type type) noexcept;
bool is_signed(Type type) noexcept;
bool is_float(Type type) noexcept;

/// How a register is stored for a warp: a 32-bit lane mask, or 32 elements of 2, 4, 8 or 16 bytes.
enum class RegisterClass : std::uint8_t { Mask, W16, W32, W64, W128 };

RegisterClass class_of(Type type) noexcept;
/// Bytes per lane (2, 4, 8, 16); 0 for Mask.
std::uint32_t lane_bytes(RegisterClass c) noexcept;
/// Bytes per warp; Mask registers take 4.
std::uint32_t warp_bytes(RegisterClass c) noexcept;

}  // namespace kw::ptxvm

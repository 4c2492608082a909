#include "front/types.h"

#include <array>

namespace kw::ptxvm {
namespace {

struct Row {
  std::string_view name;
  Type type;
  std::uint8_t size;
};

constexpr std::array kRows{
    Row{"b8", Type::B8, 1},
    Row{"b16", Type::B16, 2},
    Row{"b32", Type::B32, 4},
    Row{"b64", Type::B64, 8},
    Row{"b128", Type::B128, 16},
    Row{"u8", Type::U8, 1},
    Row{"u16", Type::U16, 2},
    Row{"u32", Type::U32, 4},
    Row{"u64", Type::U64, 8},
    Row{"s8", Type::S8, 1},
    Row{"s16", Type::S16, 2},
    Row{"s32", Type::S32, 4},
    Row{"s64", Type::S64, 8},
    Row{"f16", Type::F16, 2},
    Row{"f16x2", Type::F16x2, 4},
    Row{"bf16", Type::BF16, 2},
    Row{"bf16x2", Type::BF16x2, 4},
    Row{"f32", Type::F32, 4},
    Row{"f64", Type::F64, 8},
    Row{"tf32", Type::TF32, 4},
    Row{"e4m3x2", Type::E4M3x2, 2},
    Row{"e5m2x2", Type::E5M2x2, 2},
    Row{"e4m3", Type::E4M3, 1},
    Row{"e5m2", Type::E5M2, 1},
    Row{"e2m1x2", Type::E2M1x2, 1},
    Row{"e2m3x2", Type::E2M3x2, 2},
    Row{"e3m2x2", Type::E3M2x2, 2},
    Row{"ue8m0x2", Type::UE8M0x2, 2},
    Row{"u16x2", Type::U16x2, 4},
    Row{"s16x2", Type::S16x2, 4},
    Row{"pred", Type::Pred, 0},
    Row{"texref", Type::Opaque, 8},
    Row{"samplerref", Type::Opaque, 8},
    Row{"surfref", Type::Opaque, 8},
};

}  // namespace

Type type_from_name(std::string_view name) noexcept {
  for (const Row& row : kRows) {
    if (row.name == name) return row.type;
  }
  return Type::None;
}

std::string_view type_name(Type type) noexcept {
  for (const Row& row : kRows) {
    if (row.type == type) return row.name;
  }
  return "none";
}

std::uint32_t size_of(Type type) noexcept {
  for (const Row& row : kRows) {
    if (row.type == type) return row.size;
  }
  return 0;
}

bool is_signed(Type type) noexcept {
  return type == Type::S8 || type == Type::S16 || type == Type::S32 || type == Type::S64;
}

bool is_float(Type type) noexcept {
  switch (type) {
    case Type::F16:
    case Type::F16x2:
    case Type::BF16:
    case Type::BF16x2:
    case Type::F32:
    case Type::F64:
    case Type::TF32:
      return true;
    default:
      return false;
  }
}

RegisterClass class_of(Type type) noexcept {
  if (type == Type::Pred) return RegisterClass::Mask;
  switch (size_of(type)) {
    case 1:
    case 2:
      return RegisterClass::W16;
    case 4:
      return RegisterClass::W32;
    case 16:
      return RegisterClass::W128;
    default:
      return RegisterClass::W64;
  }
}

std::uint32_t lane_bytes(RegisterClass c) noexcept {
  switch (c) {
    case RegisterClass::Mask:
      return 0;
    case RegisterClass::W16:
      return 2;
    case RegisterClass::W32:
      return 4;
    case RegisterClass::W64:
      return 8;
    case RegisterClass::W128:
      return 16;
  }
  return 0;
}

std::uint32_t warp_bytes(RegisterClass c) noexcept {
  return c == RegisterClass::Mask ? 4 : 32 * lane_bytes(c);
}

}  // namespace kw::ptxvm

// mma.sync of 16-bit and TF32 operands, ldmatrix, stmatrix and movmatrix.

#include "exec/access.h"
#include "handlers/fragments.h"

namespace kw::ptxvm::KW_ISA {
namespace {

struct F16 {
  static constexpr unsigned per_register = 2;
  static constexpr bool by_pairs = false;
  static constexpr int lowest = -14;
  static float load(u32 r, unsigned j) { return half_to_float(static_cast<u16>(r >> (16 * j))); }
};
struct BF16 {
  static constexpr unsigned per_register = 2;
  static constexpr bool by_pairs = false;
  static constexpr int lowest = -126;
  static float load(u32 r, unsigned j) {
    return bit_cast<float>(j == 0 ? r << 16 : r & 0xffff0000u);
  }
};
struct TF32 {  // the low 13 bits are ignored
  static constexpr unsigned per_register = 1;
  static constexpr bool by_pairs = false;
  static constexpr int lowest = -126;
  static float load(u32 r, unsigned) { return bit_cast<float>(r & ~0x1fffu); }
};
// Rows of 8x8 matrices of b16. a: addresses (lanes 8 j .. 8 j + 7 give matrix j), x: matrices, z: 1
// if transposed, y: access bits, extra: the registers.
constexpr u32 kSharedSpace = 1;  // kw::ptxvm::Space::Shared

std::byte* matrix_row(Warp& w, const Ins* ins, unsigned lane, bool store) {
  const u64 address = w.address[lane];
  if (AccessBits{ins->y}.space() == kSharedSpace && w.shared.hi >= 16 &&
      address <= w.shared.hi - 16 && address % 16 == 0) {
    u8* m = w.shared.initialised + address;
    u64 first, second;
    std::memcpy(&first, m, 8);
    std::memcpy(&second, m + 8, 8);
    if (store || !w.track_initialised || (first & second) == 0x0101010101010101u) {
      if (store && w.track_initialised) std::memset(m, 1, 16);
      return w.shared.host + address;
    }
  }
  return checked_bytes(w, ins, lane, address, 16, AccessBits{ins->y}.space(),
                       store ? AccessKind::Write : AccessKind::Read);
}

void row_addresses(Warp& w, const Ins* ins) {
  if (AccessBits{ins->y}.address32()) {
    const u32* a = reg<const u32>(w, ins->a);
    KW_LANES { w.address[l] = a[l] + static_cast<u32>(ins->imm); }
  } else {
    const u64* a = reg<const u64>(w, ins->a);
    KW_LANES { w.address[l] = a[l] + ins->imm; }
  }
}

void count_rows(Warp& w, const Ins* ins) {
  const u32 mask = w.mask;
  for (u32 j = 0; j < ins->x; ++j) {  // eight rows of 16 bytes are one pass over the banks
    w.mask = 0xffu << (8 * j);
    count_access(w, ins);
  }
  w.mask = mask;
}

const Ins* load_matrix(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  row_addresses(w, ins);
  if (w.count_memory) count_rows(w, ins);
  u16 m[4][8][8];
  for (unsigned r = 0; r < 8 * ins->x; ++r) {
    const std::byte* row = matrix_row(w, ins, r, false);
    if (row != nullptr)
      std::memcpy(m[r / 8][r % 8], row, 16);
    else
      std::memset(m[r / 8][r % 8], 0, 16);
  }
  for (unsigned j = 0; j < ins->x; ++j) {
    u32* d = reg<u32>(w, w.extra[ins->extra + j]);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned row = l / 4, column = 2 * (l % 4);
      d[l] = ins->z != 0 ? m[j][column][row] | static_cast<u32>(m[j][column + 1][row]) << 16
                         : m[j][row][column] | static_cast<u32>(m[j][row][column + 1]) << 16;
    }
  }
  return ins + 1;
}

const Ins* store_matrix(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  row_addresses(w, ins);
  if (w.count_memory) count_rows(w, ins);
  u16 m[4][8][8];
  for (unsigned j = 0; j < ins->x; ++j) {
    const u32* s = reg<const u32>(w, w.extra[ins->extra + j]);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned row = l / 4, column = 2 * (l % 4);
      (ins->z != 0 ? m[j][column][row] : m[j][row][column]) = static_cast<u16>(s[l]);
      (ins->z != 0 ? m[j][column + 1][row] : m[j][row][column + 1]) = static_cast<u16>(s[l] >> 16);
    }
  }
  for (unsigned r = 0; r < 8 * ins->x; ++r) {
    std::byte* row = matrix_row(w, ins, r, true);
    if (row != nullptr) std::memcpy(row, m[r / 8][r % 8], 16);
  }
  return ins + 1;
}

// movmatrix: transposes one 8x8 matrix held in registers.
const Ins* transpose(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  const u32* a = reg<const u32>(w, ins->a);
  u32* d = reg<u32>(w, ins->d);
  u16 m[8][8];
  for (unsigned l = 0; l < kLanes; ++l) {
    m[l / 4][2 * (l % 4)] = static_cast<u16>(a[l]);
    m[l / 4][2 * (l % 4) + 1] = static_cast<u16>(a[l] >> 16);
  }
  for (unsigned l = 0; l < kLanes; ++l)
    d[l] = m[2 * (l % 4)][l / 4] | static_cast<u32>(m[2 * (l % 4) + 1][l / 4]) << 16;
  return ins + 1;
}

}  // namespace

void register_matrix(Registry& r) {
  r.add("$mma.m16n8k16", "f32", "f16.f16", mma_float<F16, F16, 16, 16, false>, {});
  r.add("$mma.m16n8k16", "f16", "f16.f16", mma_float<F16, F16, 16, 16, true>, {});
  r.add("$mma.m16n8k8", "f32", "f16.f16", mma_float<F16, F16, 16, 8, false>, {});
  r.add("$mma.m16n8k8", "f16", "f16.f16", mma_float<F16, F16, 16, 8, true>, {});
  r.add("$mma.m16n8k16", "f32", "bf16.bf16", mma_float<BF16, BF16, 16, 16, false>, {});
  r.add("$mma.m16n8k8", "f32", "bf16.bf16", mma_float<BF16, BF16, 16, 8, false>, {});
  r.add("$mma.m16n8k8", "f32", "tf32.tf32", mma_float<TF32, TF32, 16, 8, false>, {});
  r.add("$mma.m16n8k4", "f32", "tf32.tf32", mma_float<TF32, TF32, 16, 4, false>, {});
  r.add("$ldmatrix", load_matrix, {});
  r.add("$stmatrix", store_matrix, {});
  r.add("$movmatrix", transpose, {4, 4, 0, 0});
}

}  // namespace kw::ptxvm::KW_ISA

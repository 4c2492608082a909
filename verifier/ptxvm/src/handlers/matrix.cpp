// mma.sync of 16-bit and TF32 operands, ldmatrix, stmatrix and movmatrix.

#include "exec/access.h"
#include "handlers/fragments.h"
#include "handlers/initialised.h"
#include "handlers/offsets.h"
#include "handlers/product_run.h"
#include "handlers/race_windows.h"
#include "handlers/transpose.h"

namespace kw::ptxvm::KW_ISA {
namespace {

// Element formats: Code as it lies in the register, the number it stands for.
struct F16 {
  using Code = u16;
  static constexpr unsigned per_register = 2;
  static constexpr bool by_pairs = false;
  static constexpr int lowest = -14;
  static float decode(u16 code) { return half_to_float(code); }
#ifdef KW_QUICK_PRODUCT
  using Quick = QuickF16;
#endif
};
struct BF16 {
  using Code = u16;
  static constexpr unsigned per_register = 2;
  static constexpr bool by_pairs = false;
  static constexpr int lowest = -126;
  static float decode(u16 code) { return bf16_to_float(code); }
#ifdef KW_QUICK_PRODUCT
  using Quick = QuickBF16;
#endif
};
struct TF32 {  // the low 13 bits are ignored
  using Code = u32;
  static constexpr unsigned per_register = 1;
  static constexpr bool by_pairs = false;
  static constexpr int lowest = -126;
  static float decode(u32 code) { return bit_cast<float>(code & ~0x1fffu); }
};

// Rows of 8x8 matrices of b16. a: addresses (lanes 8 j .. 8 j + 7 give matrix j), x: matrices, z: 1
// if transposed, y: access bits, extra: the registers.
constexpr u32 kSharedSpace = 1;  // kw::ptxvm::Space::Shared

// Whether the rows' accesses to shared memory are in order, and recorded; else they are checked one
// by one.
template <bool store>
bool watch_rows(Warp& w, const Ins* ins) {
  if (!w.watched) return true;
  if (AccessBits{ins->y}.space() != kSharedSpace) return false;
  const u32 rows = ins->x == 4 ? kFullMask : (1u << (8 * ins->x)) - 1;
  if (w.in_flight != nullptr) {
    u32 any = 0;
    for (u32 m = rows; m != 0; m &= m - 1) {
      const u64 at = w.address[__builtin_ctz(m)];
      if (w.shared.hi < 16 || at > w.shared.hi - 16) return false;
      for (u64 g = 0; g < 4; ++g) any |= w.in_flight[at / 4 + g];
    }
    if (any != 0) return false;
  }
  return watch_lanes<store>(w, ins, w.shared, w.address, rows, 16);
}

std::byte* matrix_row(Warp& w, const Ins* ins, unsigned lane, bool store, bool watched) {
  const u64 address = w.address[lane];
  if (AccessBits{ins->y}.space() == kSharedSpace && !watched && w.shared.hi >= 16 &&
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

// Where the rows are, if all of them are plainly there: offsets in shared memory, those of lanes
// that give no row like lane 0's.
bool quick_rows(Warp& w, const Ins* ins, bool store, Offsets& o) {
  if (AccessBits{ins->y}.space() != kSharedSpace || !w.plain_access || w.shared.hi < 16)
    return false;
  const bool near = AccessBits{ins->y}.address32()
                        ? find_offsets(reg<const u32>(w, ins->a), static_cast<u32>(ins->imm), o)
                        : find_offsets(reg<const u64>(w, ins->a), ins->imm, o);
  if (!near) return false;
  const unsigned rows = 8 * ins->x;
  for (unsigned l = rows; l < kLanes; ++l) o.at[l] = o.at[0];
  if (!fit<16>(o, w.shared.hi)) return false;
  if (!w.track_initialised) return true;
  bool good = true;
  for (unsigned l = 0; l < rows; ++l) {
    u8* marks = w.shared.initialised + o.at[l];
    if (store)
      std::memset(marks, 1, 16);
    else
      good &= all_marked<16>(marks);
  }
  return good;
}

// Row r of matrix j is what lanes 4 r .. 4 r + 3 of register j hold, so a row is copied as it is.
const Ins* load_matrix(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  Offsets o;
  if (KW_LIKELY(quick_rows(w, ins, false, o))) {
    for (unsigned j = 0; j < ins->x; ++j) {
      u16* d = reg<u16>(w, w.extra[ins->extra + j]);
      const auto row = [&](unsigned r) { return w.shared.host + o.at[8 * j + r]; };
      if (ins->z == 0) {
        for (unsigned r = 0; r < 8; ++r) std::memcpy(d + 8 * r, row(r), 16);
      } else {
        transpose_8_by_8(row, [&](unsigned r) { return d + 8 * r; });
      }
    }
    return ins + 1;
  }
  row_addresses(w, ins);
  if (w.count_memory) count_rows(w, ins);
  const bool watched = !watch_rows<false>(w, ins);
  for (unsigned j = 0; j < ins->x; ++j) {
    alignas(16) u16 m[8][8];
    for (unsigned r = 0; r < 8; ++r) {
      const std::byte* row = matrix_row(w, ins, 8 * j + r, false, watched);
      if (row != nullptr)
        std::memcpy(m[r], row, 16);
      else
        std::memset(m[r], 0, 16);
    }
    u16* d = reg<u16>(w, w.extra[ins->extra + j]);
    if (ins->z == 0) {
      std::memcpy(d, m, sizeof m);
    } else {
      for (unsigned r = 0; r < 8; ++r) {
        for (unsigned c = 0; c < 8; ++c) d[8 * r + c] = m[c][r];
      }
    }
  }
  return ins + 1;
}

const Ins* store_matrix(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  Offsets o;
  if (KW_LIKELY(!w.reverse_lanes && quick_rows(w, ins, true, o))) {
    for (unsigned j = 0; j < ins->x; ++j) {
      const u16* s = reg<const u16>(w, w.extra[ins->extra + j]);
      const auto row = [&](unsigned r) { return w.shared.host + o.at[8 * j + r]; };
      if (ins->z == 0) {
        for (unsigned r = 0; r < 8; ++r) std::memcpy(row(r), s + 8 * r, 16);
      } else {
        transpose_8_by_8([&](unsigned r) { return s + 8 * r; }, row);
      }
    }
    return ins + 1;
  }
  row_addresses(w, ins);
  if (w.count_memory) count_rows(w, ins);
  const bool watched = !watch_rows<true>(w, ins);
  for (unsigned j = 0; j < ins->x; ++j) {
    const u16* s = reg<const u16>(w, w.extra[ins->extra + j]);
    for (unsigned r = 0; r < 8; ++r) {
      std::byte* row = matrix_row(w, ins, 8 * j + r, true, watched);
      if (row == nullptr) continue;
      u16 out[8];
      for (unsigned c = 0; c < 8; ++c) out[c] = ins->z == 0 ? s[8 * r + c] : s[8 * c + r];
      std::memcpy(row, out, sizeof out);
    }
  }
  return ins + 1;
}

// movmatrix: transposes one 8x8 matrix held in registers.
const Ins* transpose(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  const u16* a = reg<const u16>(w, ins->a);
  u16* d = reg<u16>(w, ins->d);
  transpose_8_by_8([&](unsigned r) { return a + 8 * r; }, [&](unsigned r) { return d + 8 * r; });
  return ins + 1;
}

}  // namespace

void register_matrix(Registry& r) {
  r.add("$mma.m16n8k16", "f32", "f16.f16", mma_run<F16, 16>, {});
  r.add("$mma.m16n8k16", "f16", "f16.f16", mma_float<F16, F16, 16, 16, true>, {});
  r.add("$mma.m16n8k8", "f32", "f16.f16", mma_run<F16, 8>, {});
  r.add("$mma.m16n8k8", "f16", "f16.f16", mma_float<F16, F16, 16, 8, true>, {});
  r.add("$mma.m16n8k16", "f32", "bf16.bf16", mma_run<BF16, 16>, {});
  r.add("$mma.m16n8k8", "f32", "bf16.bf16", mma_run<BF16, 8>, {});
  r.add("$mma.m16n8k8", "f32", "tf32.tf32", mma_float<TF32, TF32, 16, 8, false>, {});
  r.add("$mma.m16n8k4", "f32", "tf32.tf32", mma_float<TF32, TF32, 16, 4, false>, {});
  r.add("$ldmatrix", load_matrix, {});
  r.add("$stmatrix", store_matrix, {});
  r.add("$movmatrix", transpose, {4, 4, 0, 0});
}

}  // namespace kw::ptxvm::KW_ISA

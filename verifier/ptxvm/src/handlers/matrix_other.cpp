// mma.sync of 8-bit floats, 8-bit integers and f64: built once, not per instruction set.

#include "handlers/fragments.h"

namespace kw::ptxvm::baseline {
namespace {

template <class F>
struct Fp8 {
  static constexpr unsigned per_register = 4;
  static constexpr bool by_pairs = true;
  static constexpr int lowest = -14;
  using Code = u8;
  static float decode(u8 code) { return fp8_to_float<F>(code); }
};
template <class T>
struct Int8 {
  static constexpr unsigned per_register = 4;
  static constexpr bool by_pairs = false;
  using Code = u8;
  static s32 decode(u8 code) { return static_cast<T>(code); }
};

// z: 1 for .satfinite.
template <class EA, class EB, unsigned M, unsigned K>
const Ins* mma_int(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  constexpr unsigned kD = M / 4, kA = M * K / 128, kB = 8 * K / 128;
  const u32* d = w.extra + ins->extra;
  const u32 *a = d + kD, *b = a + kA, *c = b + kB;
  alignas(64) s32 ma[M][K];
  alignas(64) s32 mb[K][8];
  load_a<EA, M, K>(w, a, ma);
  load_b<EB, K>(w, b, mb);
  s32 out[kD][kLanes];
  for (unsigned i = 0; i < kD; ++i) {
    const s32* from = reg<const s32>(w, c[i]);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned row = l / 4 + 8 * (i / 2), column = 2 * (l % 4) + i % 2;
      s64 sum = from[l];
      for (unsigned k = 0; k < K; ++k) sum += ma[row][k] * mb[k][column];
      if (ins->z != 0)
        sum = sum > 2147483647 ? 2147483647 : sum < -2147483647 - 1 ? -2147483647 - 1 : sum;
      out[i][l] = static_cast<s32>(sum);
    }
  }
  for (unsigned i = 0; i < kD; ++i) std::memcpy(reg<s32>(w, d[i]), out[i], sizeof out[i]);
  w.control->matrix_multiply_adds += u64{M} * 8 * K;
  return ins + 1;
}

// f64 products accumulate with one rounding per term, in order of k.
template <unsigned M, unsigned K>
const Ins* mma_double(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  constexpr unsigned kD = M / 4, kA = M * K / 32, kB = K / 4;
  const u32* d = w.extra + ins->extra;
  const u32 *a = d + kD, *b = a + kA, *c = b + kB;
  double out[kD][kLanes];
  for (unsigned i = 0; i < kD; ++i) {
    const double* from = reg<const double>(w, c[i]);
    for (unsigned l = 0; l < kLanes; ++l) {
      double sum = from[l];
      for (unsigned k = 0; k < K; ++k) {
        // A[row][k] is in lane 4 g + k % 4 of register 2 (k / 4) + row / 8 (M = 8: k / 4).
        const unsigned ra = M == 16 ? 2 * (k / 4) + i / 2 : k / 4;
        const double x = reg<const double>(w, a[ra])[(l & ~3u) + k % 4];
        const unsigned column = 2 * (l % 4) + i % 2;
        const double y = reg<const double>(w, b[k / 4])[4 * column + k % 4];
        sum = fused(x, y, sum);
      }
      out[i][l] = sum;
    }
  }
  for (unsigned i = 0; i < kD; ++i) std::memcpy(reg<double>(w, d[i]), out[i], sizeof out[i]);
  w.control->matrix_multiply_adds += u64{M} * 8 * K;
  return ins + 1;
}

template <class A, class B>
void add_int(Registry& r, const char* types) {
  r.add("$mma.m16n8k32", "s32", types, mma_int<A, B, 16, 32>, {});
  r.add("$mma.m16n8k16", "s32", types, mma_int<A, B, 16, 16>, {});
  r.add("$mma.m8n8k16", "s32", types, mma_int<A, B, 8, 16>, {});
}
template <class A, class B>
void add_fp8(Registry& r, const char* types) {
  r.add("$mma.m16n8k32", "f32", types, mma_float<Fp8<A>, Fp8<B>, 16, 32, false>, {});
  r.add("$mma.m16n8k32", "f16", types, mma_float<Fp8<A>, Fp8<B>, 16, 32, true>, {});
  r.add("$mma.m16n8k16", "f32", types, mma_float<Fp8<A>, Fp8<B>, 16, 16, false>, {});
  r.add("$mma.m16n8k16", "f16", types, mma_float<Fp8<A>, Fp8<B>, 16, 16, true>, {});
}

}  // namespace

void register_matrix_other(Registry& r) {
  add_fp8<E4M3, E4M3>(r, "e4m3.e4m3");
  add_fp8<E4M3, E5M2>(r, "e4m3.e5m2");
  add_fp8<E5M2, E4M3>(r, "e5m2.e4m3");
  add_fp8<E5M2, E5M2>(r, "e5m2.e5m2");
  add_int<Int8<s8>, Int8<s8>>(r, "s8.s8");
  add_int<Int8<s8>, Int8<u8>>(r, "s8.u8");
  add_int<Int8<u8>, Int8<s8>>(r, "u8.s8");
  add_int<Int8<u8>, Int8<u8>>(r, "u8.u8");
  r.add("$mma.m8n8k4.f64.f64.f64", mma_double<8, 4>, {});
  r.add("$mma.m16n8k4.f64.f64.f64", mma_double<16, 4>, {});
  r.add("$mma.m16n8k8.f64.f64.f64", mma_double<16, 8>, {});
  r.add("$mma.m16n8k16.f64.f64.f64", mma_double<16, 16>, {});
}

}  // namespace kw::ptxvm::baseline

#pragma once
// The tensor-core model: D = A B + C with the accumulation of NVIDIA's hardware.
//
// Products are exact. They and C are aligned to the largest exponent among them (that of a product
// is the sum of its factors' exponents, not normalised), cut off below kFraction fraction bits
// towards zero, and added exactly; the sum is cut to f32 towards zero. One such step takes kStep
// products of k. README.md says where the constants come from.

#include "handlers/narrow.h"

namespace kw::ptxvm::KW_ISA {

inline constexpr int kFraction = 25;

/// Row-major A[M][K], B[K][8], C and D[M][8].
template <unsigned M, unsigned K>
struct Product {
  alignas(64) float a[M][K];
  alignas(64) float b[K][8];
  alignas(64) float c[M][8];
};

/// The exponent as the hardware's multiplier sees it; zero is below everything.
inline s32 exponent_of(float x) {
  const s32 e = static_cast<s32>(bit_cast<u32>(x) >> 23 & 0xff);
  return x == 0 ? -1024 : (e == 0 ? 1 : e) - 127;
}

/// Towards zero, for any finite double.
inline float truncate_to_float(double x) {
  const float nearest = static_cast<float>(x);
  const bool away = __builtin_fabs(static_cast<double>(nearest)) > __builtin_fabs(x);
  return away ? bit_cast<float>(bit_cast<u32>(nearest) - 1) : nearest;
}

/// One step for one element, for every input: K products and an accumulator.
template <unsigned K>
float accumulate_any(const float* a, const float* b, unsigned b_stride, float c) {
  double special = static_cast<double>(c);
  s32 top = exponent_of(c);
  for (unsigned k = 0; k < K; ++k) {
    const float x = a[k], y = b[k * b_stride];
    special += static_cast<double>(x) * static_cast<double>(y);
    if (x == 0 || y == 0) continue;
    const s32 e = exponent_of(x) + exponent_of(y);
    top = e > top ? e : top;
  }
  if (special - special != 0) {  // an infinity or a NaN went in
    return special != special ? bit_cast<float>(kNan32) : static_cast<float>(special);
  }
  if (top < -1000) return c + 0.0f;
  const double unit = __builtin_ldexp(1.0, kFraction - top),
               back = __builtin_ldexp(1.0, top - kFraction);
  double sum = __builtin_trunc(static_cast<double>(c) * unit);
  for (unsigned k = 0; k < K; ++k) {
    sum += __builtin_trunc(static_cast<double>(a[k]) * static_cast<double>(b[k * b_stride]) * unit);
  }
  return truncate_to_float(sum * back);
}

/// One step of K <= 16 products for a whole tile, from A column and B row `first` on. C becomes the
/// result.
template <unsigned M, unsigned K, unsigned Total>
void accumulate_step(Product<M, Total>& p, unsigned first) {
  static_assert(K <= 16);
  alignas(64) s32 eb[K][8];
  s32 ea[M][K];
  s32 lowest = 0, highest = 0;
  bool finite = true;
  const auto look = [&](float x) {
    const s32 e = exponent_of(x);
    finite &= e < 128;
    highest = e > highest ? e : highest;
    if (e > -1024) lowest = e < lowest ? e : lowest;
    return e;
  };
  for (unsigned k = 0; k < K; ++k) {
    for (unsigned n = 0; n < 8; ++n) eb[k][n] = look(p.b[first + k][n]);
  }
  for (unsigned m = 0; m < M; ++m) {
    for (unsigned k = 0; k < K; ++k) ea[m][k] = look(p.a[m][first + k]);
  }
  alignas(64) s32 ec[M][8];
  for (unsigned m = 0; m < M; ++m) {
    for (unsigned n = 0; n < 8; ++n) ec[m][n] = look(p.c[m][n]);
  }
  if (KW_UNLIKELY(!finite || highest > 45 || lowest < -45)) {
    for (unsigned m = 0; m < M; ++m) {
      for (unsigned n = 0; n < 8; ++n)
        p.c[m][n] = accumulate_any<K>(&p.a[m][first], &p.b[first][n], 8, p.c[m][n]);
    }
    return;
  }
  // Every product and scale is exact in f32; partial sums of 8 terms below 2^28 fit 32 bits.
  for (unsigned m = 0; m < M; ++m) {
    alignas(64) s32 top[8], low[8], high[8];
    alignas(64) float unit[8];
    for (unsigned n = 0; n < 8; ++n) top[n] = ec[m][n];
    for (unsigned k = 0; k < K; ++k) {
      for (unsigned n = 0; n < 8; ++n) {
        const s32 e = ea[m][k] + eb[k][n];
        top[n] = e > top[n] ? e : top[n];
      }
    }
    for (unsigned n = 0; n < 8; ++n) {
      top[n] = top[n] < -512 ? 0 : top[n];
      unit[n] = bit_cast<float>(static_cast<u32>(kFraction - top[n] + 127) << 23);
      low[n] = static_cast<s32>(p.c[m][n] * unit[n]);
      high[n] = 0;
    }
    for (unsigned k = 0; k < K; ++k) {
      const float x = p.a[m][first + k];
      s32* const sum = k < 8 ? low : high;
      for (unsigned n = 0; n < 8; ++n) sum[n] += static_cast<s32>(x * p.b[first + k][n] * unit[n]);
    }
    for (unsigned n = 0; n < 8; ++n) {
      const double sum = static_cast<double>(low[n]) + static_cast<double>(high[n]);
      const double back =
          bit_cast<double>(static_cast<u64>(static_cast<s64>(top[n] - kFraction + 1023)) << 52);
      const u64 bits = bit_cast<u64>(sum * back) & ~((u64{1} << 29) - 1);
      const float r = static_cast<float>(bit_cast<double>(bits));
      p.c[m][n] = low[n] == 0 && high[n] == 0 && p.c[m][n] == 0 ? p.c[m][n] + 0.0f : r;
    }
  }
}

/// Rounds once from an f64 sum: Options::exact_tensor_accumulation.
template <unsigned M, unsigned Total>
void accumulate_exactly(Product<M, Total>& p) {
  for (unsigned m = 0; m < M; ++m) {
    for (unsigned n = 0; n < 8; ++n) {
      double sum = static_cast<double>(p.c[m][n]);
      for (unsigned k = 0; k < Total; ++k)
        sum += static_cast<double>(p.a[m][k]) * static_cast<double>(p.b[k][n]);
      p.c[m][n] = canonical(static_cast<float>(sum));
    }
  }
}

template <unsigned M, unsigned Step, unsigned Total>
void accumulate(Product<M, Total>& p, bool exact) {
  if (exact) {
    accumulate_exactly(p);
    return;
  }
  for (unsigned first = 0; first < Total; first += Step) accumulate_step<M, Step, Total>(p, first);
}

}  // namespace kw::ptxvm::KW_ISA

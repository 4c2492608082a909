#pragma once
// The tensor-core model: D = A B + C with the accumulation of NVIDIA's hardware.
//
// Products are exact. They and C are aligned to the largest exponent among them (that of a product
// is the sum of its factors' exponents, not normalised; a subnormal factor has its format's
// smallest exponent), cut off towards zero below kFraction bits, and added exactly. The sum is cut
// towards zero to the accumulator's bits, or rounded to nearest for an f16 accumulator. One such
// step takes up to 16 products of k. README.md says where the constants come from.

#include "handlers/narrow.h"

namespace kw::ptxvm::KW_ISA {

/// Row-major A[M][K], B[K][8], C and D[M][8].
template <unsigned M, unsigned K>
struct Product {
  alignas(64) float a[M][K];
  alignas(64) float b[K][8];
  alignas(64) float c[M][8];
};

inline constexpr int kFraction = 25;  // bits kept below the largest exponent

/// How one instruction accumulates.
struct Model {
  unsigned step;           // products added at once, at most 16
  int lowest_a, lowest_b;  // exponents of the factors' smallest normal numbers
  bool half;               // f16 accumulator
};

/// Zero is below everything.
inline s32 exponent_of(float x, s32 lowest) {
  const s32 e = static_cast<s32>(bit_cast<u32>(x) >> 23 & 0xff) - 127;
  return x == 0 ? -1024 : e < lowest ? lowest : e;
}

/// The result of a step from the exact, finite sum. What vanishes is +0.
template <Model model>
float finish_sum(double sum) {
  if constexpr (model.half) {
    const float r = half_to_float(float_to_half(round_to_odd(sum)));
    return r == 0 ? 0.0f : r;
  } else {
    const float nearest = static_cast<float>(sum);
    if (nearest == 0) return 0.0f;
    const double magnitude = __builtin_fabs(sum);
    const bool away = __builtin_fabs(static_cast<double>(nearest)) > magnitude && magnitude < 0x1p128;
    return away ? bit_cast<float>(bit_cast<u32>(nearest) - 1) : nearest;
  }
}

/// One step for one element, for every input.
template <Model model>
float accumulate_any(const float* a, const float* b, unsigned b_stride, float c) {
  double special = static_cast<double>(c);
  s32 top = exponent_of(c, -126);
  for (unsigned k = 0; k < model.step; ++k) {
    const float x = a[k], y = b[k * b_stride];
    special += static_cast<double>(x) * static_cast<double>(y);
    if (x == 0 || y == 0) continue;
    const s32 e = exponent_of(x, model.lowest_a) + exponent_of(y, model.lowest_b);
    top = e > top ? e : top;
  }
  if (special - special != 0) {  // an infinity or a NaN went in
    return special != special ? bit_cast<float>(kNan32) : static_cast<float>(special);
  }
  if (top < -1000) return c + 0.0f;
  const double unit = __builtin_ldexp(1.0, kFraction - top),
               back = __builtin_ldexp(1.0, top - kFraction);
  double sum = __builtin_trunc(static_cast<double>(c) * unit);
  for (unsigned k = 0; k < model.step; ++k) {
    sum += __builtin_trunc(static_cast<double>(a[k]) * static_cast<double>(b[k * b_stride]) * unit);
  }
  return finish_sum<model>(sum * back);
}

typedef float Float8 __attribute__((vector_size(32), may_alias));
typedef s32 Int8x32 __attribute__((vector_size(32), may_alias));
typedef s32 Int8x32Unaligned __attribute__((vector_size(32), may_alias, aligned(4)));
typedef double Double8 __attribute__((vector_size(64), may_alias));
typedef s64 Long8 __attribute__((vector_size(64), may_alias));

/// One step for a whole tile, from A column and B row `first` on. C becomes the result.
template <Model model, unsigned M, unsigned Total>
void accumulate_step(Product<M, Total>& p, unsigned first) {
  constexpr unsigned K = model.step;
  static_assert(K <= 16 && kFraction <= 25);
  alignas(64) s32 ea[M * K], eb[K * 8], ec[M * 8];
  Int8x32 lowest{}, highest{};
  const auto look = [&](const float* x, s32* e, unsigned count, s32 least) {
    for (unsigned i = 0; i < count; i += 8) {
      const Int8x32 magnitude = *reinterpret_cast<const Int8x32Unaligned*>(x + i) & 0x7fffffff;
      Int8x32 exponent = (magnitude >> 23) - 127;
      exponent = exponent < least ? Int8x32{} + least : exponent;
      lowest = exponent < lowest && magnitude != 0 ? exponent : lowest;
      exponent = magnitude == 0 ? Int8x32{} - 1024 : exponent;
      highest = exponent > highest ? exponent : highest;
      *reinterpret_cast<Int8x32*>(e + i) = exponent;
    }
  };
  if constexpr (K == Total) {
    look(&p.a[0][0], ea, M * K, model.lowest_a);
  } else {
    static_assert(K == Total || K % 8 == 0);
    for (unsigned m = 0; m < M; ++m) look(&p.a[m][first], ea + m * K, K, model.lowest_a);
  }
  look(p.b[first], eb, K * 8, model.lowest_b);
  look(p.c[0], ec, M * 8, -126);
  s32 least = 0, most = 0;
  for (unsigned i = 0; i < 8; ++i) {
    least = lowest[i] < least ? lowest[i] : least;
    most = highest[i] > most ? highest[i] : most;
  }
  // Infinities and NaN have exponent 128.
  if (KW_UNLIKELY(most > 45 || least < -45)) {
    for (unsigned m = 0; m < M; ++m) {
      for (unsigned n = 0; n < 8; ++n)
        p.c[m][n] = accumulate_any<model>(&p.a[m][first], &p.b[first][n], 8, p.c[m][n]);
    }
    return;
  }
  // Every product and scale is exact in f32; half the products and C, each below 2^27, fit 32 bits.
  for (unsigned m = 0; m < M; ++m) {
    const Float8 c = *reinterpret_cast<const Float8*>(p.c[m]);
    Int8x32 top = *reinterpret_cast<const Int8x32*>(&ec[m * 8]);
    for (unsigned k = 0; k < K; ++k) {
      const Int8x32 e = *reinterpret_cast<const Int8x32*>(&eb[k * 8]) + ea[m * K + k];
      top = e > top ? e : top;
    }
    top = top < -512 ? Int8x32{} : top;
    const Float8 unit = reinterpret_cast<Float8>((kFraction + 127 - top) << 23);
    Int8x32 low = __builtin_convertvector(c * unit, Int8x32), high{};
    for (unsigned k = 0; k < K / 2; ++k) {
      const Float8 b = *reinterpret_cast<const Float8*>(p.b[first + k]);
      low += __builtin_convertvector(p.a[m][first + k] * b * unit, Int8x32);
    }
    for (unsigned k = K / 2; k < K; ++k) {
      const Float8 b = *reinterpret_cast<const Float8*>(p.b[first + k]);
      high += __builtin_convertvector(p.a[m][first + k] * b * unit, Int8x32);
    }
    const Double8 sum =
        __builtin_convertvector(low, Double8) + __builtin_convertvector(high, Double8);
    const Long8 scale = (__builtin_convertvector(top, Long8) + (1023 - kFraction)) << 52;
    const Double8 value = sum * reinterpret_cast<Double8>(scale);
    if constexpr (model.half) {
      for (unsigned n = 0; n < 8; ++n) p.c[m][n] = finish_sum<model>(value[n]);
    } else {
      const Long8 kept = reinterpret_cast<Long8>(value) & ~((s64{1} << 29) - 1);
      *reinterpret_cast<Float8*>(p.c[m]) =
          __builtin_convertvector(reinterpret_cast<Double8>(kept), Float8);
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

template <Model model, unsigned M, unsigned Total>
void accumulate(Product<M, Total>& p, bool exact) {
  if (exact) {
    accumulate_exactly(p);
    return;
  }
  for (unsigned first = 0; first < Total; first += model.step) accumulate_step<model>(p, first);
}

}  // namespace kw::ptxvm::KW_ISA

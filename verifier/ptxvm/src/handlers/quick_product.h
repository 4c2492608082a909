#pragma once
// A step of matrix.h's model for a 16 x 8 tile with f32 accumulators, eight columns at once. Only
// for operands of moderate size; the rest is left to accumulate().
//
// Columns are in the order 0 2 4 6 1 3 5 7: a row of C is then the four lanes of one register of
// the fragment followed by those of the next.

#include "handlers/matrix.h"

namespace kw::ptxvm::KW_ISA {

#if defined(__AVX2__) && defined(__FMA__)
inline constexpr bool kHaveQuickProduct = true;

/// Exponents of factors are bytes: at most kQuickExponent in size, or kZeroExponent for zero.
inline constexpr int kQuickExponent = 30;
inline constexpr s8 kZeroExponent = -128;
/// B is scaled by this, so that what is added to a product's exponent is never negative.
inline constexpr float kQuickScale = 0x1p-40f;
inline constexpr int kQuickScaleBits = 40;

template <unsigned K>
struct QuickOperands {
  alignas(64) float a[16][K];
  alignas(64) float b[K][8];        // columns in the order above, times kQuickScale
  alignas(64) s8 ea[K / 8][16][8];  // exponents of A: by eights of k, row, k
  alignas(64) s8 eb[K][8];
};

inline const __m256i* as_vector(const void* p) { return static_cast<const __m256i*>(p); }
inline __m256i splat(int value) { return _mm256_set1_epi32(value); }

/// The largest exponent of a product: top[row][column].
template <unsigned K>
inline void largest_exponents(const QuickOperands<K>& q, s8 (&top)[16][8]) {
  for (unsigned row = 0; row < 16; row += 4) {
    __m256i most = _mm256_set1_epi8(kZeroExponent);
    for (unsigned k = 0; k < K; ++k) {
      // Two rows of eight bytes in each half: byte k of both, eight times each.
      const __m256i rows = _mm256_load_si256(as_vector(q.ea[k / 8][row]));
      const __m256i pick =
          _mm256_add_epi8(_mm256_set1_epi8(static_cast<char>(k % 8)),
                          _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0));
      long long column;
      std::memcpy(&column, q.eb[k], 8);
      const __m256i sum =
          _mm256_adds_epi8(_mm256_shuffle_epi8(rows, pick), _mm256_set1_epi64x(column));
      most = _mm256_max_epi8(most, sum);
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(top[row]), most);
  }
}

/// An integer as f32, cut off towards zero.
inline __m256 to_float_cut(__m256i v) {
  const __m256 nearest = _mm256_cvtepi32_ps(v);
  // 2^31 comes back as -2^31, and the difference is right all the same.
  const __m256i over = _mm256_sub_epi32(_mm256_cvttps_epi32(nearest), v);
  const __m256i kept = _mm256_or_si256(_mm256_cmpeq_epi32(over, _mm256_setzero_si256()),
                                       _mm256_srai_epi32(_mm256_xor_si256(over, v), 31));
  // One less in the last place where the nearest is larger in magnitude: adds -1 or 0.
  const __m256i less = _mm256_xor_si256(kept, splat(-1));
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(nearest), less));
}

/// D registers from C registers, four of each, as 32 lane values. False, with D untouched, where C
/// or a sum is out of the range that this is exact for.
template <unsigned K>
inline bool quick_product(const QuickOperands<K>& q, const float* const* c, float* const* d) {
  static_assert(kFraction == 25);
  constexpr int kBias = 127, kLeast = -2 * kQuickExponent, kMost = 60;
  constexpr unsigned kRows = 2;  // at a time, to read B once for all of them
  alignas(64) s8 top[16][8];
  largest_exponents(q, top);
  alignas(64) float out[16][8];
  __m256i most = _mm256_setzero_si256(), least = splat(-1), overflow = _mm256_setzero_si256();
  for (unsigned first = 0; first < 16; first += kRows) {
    __m256i shift[kRows], sum[kRows], largest[kRows];
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRows; ++i) {
      const unsigned row = first + i, r = row / 8 * 2, at = row % 8 * 4;
      const __m256 old = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(c[r] + at)),
                                              _mm_load_ps(c[r + 1] + at), 1);
      const __m256i magnitude = _mm256_and_si256(_mm256_castps_si256(old), splat(0x7fffffff));
      most = _mm256_max_epu32(most, magnitude);
      least = _mm256_min_epu32(least, _mm256_sub_epi32(magnitude, splat(1)));  // zero is fine
      const __m256i product = _mm256_add_epi32(
          _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(top[row]))),
          splat(kBias));
      largest[i] = _mm256_max_epi32(_mm256_max_epi32(product, _mm256_srli_epi32(magnitude, 23)),
                                    splat(kLeast + kBias));
      shift[i] = _mm256_slli_epi32(
          _mm256_sub_epi32(splat(kFraction + kBias + kQuickScaleBits), largest[i]), 23);
      const __m256 unit = _mm256_castsi256_ps(
          _mm256_add_epi32(shift[i], splat((kBias - kQuickScaleBits) * (1 << 23))));
      sum[i] = _mm256_cvttps_epi32(_mm256_mul_ps(old, unit));
    }
    __m256i high[kRows] = {};
#pragma GCC unroll 16
    for (unsigned k = 0; k < K; ++k) {
      const __m256 b = _mm256_load_ps(q.b[k]);
#pragma GCC unroll 8
      for (unsigned i = 0; i < kRows; ++i) {
        const __m256 p = _mm256_mul_ps(_mm256_broadcast_ss(&q.a[first + i][k]), b);
        const __m256i term = _mm256_cvttps_epi32(
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shift[i])));
        __m256i& to = k < 8 ? sum[i] : high[i];
        to = _mm256_add_epi32(to, term);
      }
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRows; ++i) {
      if constexpr (K == 16) {
        const __m256i both = _mm256_add_epi32(sum[i], high[i]);
        overflow = _mm256_or_si256(overflow, _mm256_and_si256(_mm256_xor_si256(sum[i], both),
                                                              _mm256_xor_si256(high[i], both)));
        sum[i] = both;
      }
      const __m256i back = _mm256_slli_epi32(_mm256_sub_epi32(largest[i], splat(kFraction)), 23);
      _mm256_store_ps(out[first + i],
                      _mm256_mul_ps(to_float_cut(sum[i]), _mm256_castsi256_ps(back)));
    }
  }
  const __m256i large = _mm256_cmpgt_epi32(most, splat(((kMost + 1 + kBias) << 23) - 1));
  const __m256i bound = splat(((kLeast + kBias) << 23) - 1);
  const __m256i small = _mm256_xor_si256(_mm256_max_epu32(least, bound), least);
  overflow = _mm256_srli_epi32(overflow, 31);
  const __m256i wrong = _mm256_or_si256(overflow, _mm256_or_si256(large, small));
  if (KW_UNLIKELY(_mm256_testz_si256(wrong, wrong) == 0)) return false;
  for (unsigned row = 0; row < 16; ++row) {
    const unsigned r = row / 8 * 2, at = row % 8 * 4;
    std::memcpy(d[r] + at, out[row], 16);
    std::memcpy(d[r + 1] + at, out[row] + 4, 16);
  }
  return true;
}
#else
inline constexpr bool kHaveQuickProduct = false;
#endif

}  // namespace kw::ptxvm::KW_ISA

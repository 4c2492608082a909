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

inline constexpr int kBias = 127;
/// Exponents below this count as this: less than any product's, and within reach of one byte.
inline constexpr int kLeastTop = -2 * kQuickExponent;

/// The largest exponent of a product, plus kBias: top[row][column].
template <unsigned K>
inline void largest_exponents(const QuickOperands<K>& q, u8 (&top)[16][8]) {
  for (unsigned row = 0; row < 16; row += 4) {
    __m256i most = _mm256_set1_epi8(kLeastTop);
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
    _mm256_store_si256(reinterpret_cast<__m256i*>(top[row]),
                       _mm256_add_epi8(most, _mm256_set1_epi8(kBias)));
  }
}

/// An integer as f32, cut off towards zero.
inline __m256 to_float_cut(__m256i v) {
  const __m256 nearest = _mm256_cvtepi32_ps(v);
  // 2^31 comes back as -2^31, and the difference is right all the same.
  const __m256i over = _mm256_sub_epi32(_mm256_cvttps_epi32(nearest), v);
  // One less in the last place where the nearest is larger in magnitude.
  const __m256i less = _mm256_cmpgt_epi32(_mm256_sign_epi32(over, v), _mm256_setzero_si256());
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(nearest), less));
}

/// Whether C has a number so small, and not zero, that rows without a product would lose it.
inline bool has_tiny(const float* const* c) {
  const __m256i bound = splat(((kLeastTop + kBias) << 23) - 1);
  __m256i wrong = _mm256_setzero_si256();
  for (unsigned i = 0; i < 16; ++i) {
    const __m256i x = _mm256_load_si256(as_vector(c[i / 4] + 8 * (i % 4)));
    // Less one, so that zero is large.
    const __m256i magnitude = _mm256_sub_epi32(_mm256_and_si256(x, splat(0x7fffffff)), splat(1));
    wrong = _mm256_or_si256(wrong, _mm256_xor_si256(_mm256_max_epu32(magnitude, bound), magnitude));
  }
  return _mm256_testz_si256(wrong, wrong) == 0;
}

/// D registers from C registers, four of each, as 32 lane values. False, with D untouched, where C
/// or a sum is out of the range that this is exact for.
template <unsigned K>
inline bool quick_product(const QuickOperands<K>& q, const float* const* c, float* const* d) {
  static_assert(kFraction == 25);
  constexpr int kMostTop = kFraction + kQuickScaleBits - 5;  // the shift below is positive
  constexpr unsigned kRows = 4;                              // at a time, to read B once for both
  alignas(64) u8 top[16][8];
  largest_exponents(q, top);
  alignas(64) float out[16][8];
  __m256i most = splat(0), least = splat(255), overflow = splat(0);
  for (unsigned first = 0; first < 16; first += kRows) {
    __m256i shift[kRows], sum[kRows];
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRows; ++i) {
      const unsigned row = first + i, r = row / 8 * 2, at = row % 8 * 4;
      const __m256 old = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(c[r] + at)),
                                              _mm_load_ps(c[r + 1] + at), 1);
      const __m256i exponent =
          _mm256_srli_epi32(_mm256_slli_epi32(_mm256_castps_si256(old), 1), 24);
      const __m256i largest = _mm256_max_epi32(
          exponent,
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(top[row]))));
      most = _mm256_max_epi32(most, largest);
      least = _mm256_min_epi32(least, largest);
      // Added to a product's exponent: it then counts units of 2^(top - kFraction).
      shift[i] = _mm256_slli_epi32(
          _mm256_sub_epi32(splat(kFraction + kBias + kQuickScaleBits), largest), 23);
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
        asm("" : "+x"(to));  // one after another: compilers make a tree of it, and spill
      }
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRows; ++i) {
      if constexpr (K == 16) {
        // Eight products are below 2^30, so both halves fit one sum if C's half is below it too.
        overflow =
            _mm256_or_si256(overflow, _mm256_xor_si256(sum[i], _mm256_slli_epi32(sum[i], 1)));
        sum[i] = _mm256_add_epi32(sum[i], high[i]);
      }
      const __m256i back = _mm256_sub_epi32(splat((kBias + kQuickScaleBits) * (1 << 23)),
                                            shift[i]);  // 2^(top - kFraction)
      _mm256_store_ps(out[first + i],
                      _mm256_mul_ps(to_float_cut(sum[i]), _mm256_castsi256_ps(back)));
    }
  }
  const __m256i wrong = _mm256_or_si256(_mm256_srli_epi32(overflow, 31),
                                        _mm256_cmpgt_epi32(most, splat(kMostTop + kBias)));
  if (KW_UNLIKELY(_mm256_testz_si256(wrong, wrong) == 0)) return false;
  const __m256i lowest = _mm256_cmpeq_epi32(least, splat(kLeastTop + kBias));
  if (KW_UNLIKELY(_mm256_testz_si256(lowest, lowest) == 0 && has_tiny(c))) return false;
  for (unsigned row = 0; row < 16; ++row) {
    const unsigned r = row / 8 * 2, at = row % 8 * 4;
    const __m256 both = _mm256_load_ps(out[row]);
    _mm_store_ps(d[r] + at, _mm256_castps256_ps128(both));
    _mm_store_ps(d[r + 1] + at, _mm256_extractf128_ps(both, 1));
  }
  return true;
}
#else
inline constexpr bool kHaveQuickProduct = false;
#endif

}  // namespace kw::ptxvm::KW_ISA

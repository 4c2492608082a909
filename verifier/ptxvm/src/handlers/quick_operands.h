#pragma once
// Fragments of A and B for quick_product.h: numbers, and their exponents as bytes.

#include "handlers/quick_product.h"

namespace kw::ptxvm::KW_ISA {

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

/// Watches that the codes seen stand for zero or a number of moderate size.
struct CodeRange {
  __m256i most = _mm256_setzero_si256(), least = _mm256_set1_epi16(-1);

  void note(__m256i magnitude) {
    most = _mm256_max_epu16(most, magnitude);
    least = _mm256_min_epu16(least, _mm256_sub_epi16(magnitude, _mm256_set1_epi16(1)));
  }
  /// Whether all are zero or in [low, high).
  bool within(u16 low, u16 high) const {
    const __m256i first = _mm256_set1_epi16(static_cast<s16>(low - 1));
    const __m256i last = _mm256_set1_epi16(static_cast<s16>(high - 1));
    const __m256i wrong = _mm256_or_si256(_mm256_xor_si256(_mm256_max_epu16(most, last), last),
                                          _mm256_xor_si256(_mm256_min_epu16(least, first), first));
    return _mm256_testz_si256(wrong, wrong) != 0;
  }
};

// 16-bit formats: numbers of eight codes, exponents of sixteen as 16-bit integers.
struct QuickF16 {
  static constexpr u16 kLow = 1, kHigh = 0x7c00;
  static __m256 numbers(__m128i codes) { return _mm256_cvtph_ps(codes); }
  static __m256i exponents(__m256i magnitude) {
    const __m256i field = _mm256_max_epi16(_mm256_srli_epi16(magnitude, 10), _mm256_set1_epi16(1));
    return _mm256_sub_epi16(field, _mm256_set1_epi16(15));
  }
};
struct QuickBF16 {
  static constexpr u16 kLow = (127 - kQuickExponent) << 7, kHigh = (127 + kQuickExponent + 1) << 7;
  static __m256 numbers(__m128i codes) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(codes), 16));
  }
  static __m256i exponents(__m256i magnitude) {
    return _mm256_sub_epi16(_mm256_srli_epi16(magnitude, 7), _mm256_set1_epi16(127));
  }
};

template <class F>
inline __m256i exponents_of(__m256i codes, CodeRange& range) {
  const __m256i magnitude = _mm256_and_si256(codes, _mm256_set1_epi16(0x7fff));
  range.note(magnitude);
  const __m256i zero = _mm256_cmpeq_epi16(magnitude, _mm256_setzero_si256());
  return _mm256_blendv_epi8(F::exponents(magnitude), _mm256_set1_epi16(kZeroExponent), zero);
}
inline __m256i to_bytes(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
}

// Register r of A is rows 8 (r % 2) and k from 8 (r / 2) on, eight of each, row by row.
template <class F, unsigned K>
inline void quick_a(const u16* const* registers, QuickOperands<K>& q, CodeRange& range) {
  for (unsigned r = 0; r < K / 4; ++r) {
    const unsigned first = 8 * (r % 2);
    const u16* codes = registers[r];
    for (unsigned row = 0; row < 8; ++row)
      _mm256_store_ps(
          &q.a[first + row][8 * (r / 2)],
          F::numbers(_mm_load_si128(reinterpret_cast<const __m128i*>(codes + 8 * row))));
    for (unsigned row = 0; row < 8; row += 4) {
      const __m256i* from = as_vector(codes + 8 * row);
      const __m256i bytes = to_bytes(exponents_of<F>(_mm256_load_si256(from), range),
                                     exponents_of<F>(_mm256_load_si256(from + 1), range));
      _mm256_store_si256(reinterpret_cast<__m256i*>(q.ea[r / 2][first + row]), bytes);
    }
  }
}

// Register r of B is k from 8 r on, eight for each column, column by column.
template <class F, unsigned K>
inline void quick_b(const u16* const* registers, QuickOperands<K>& q, CodeRange& range) {
  for (unsigned r = 0; r < K / 8; ++r) {
    const auto column = [&](unsigned n) {
      return _mm_load_si128(reinterpret_cast<const __m128i*>(registers[r] + 8 * n));
    };
    const auto pair = [](__m128i low, __m128i high) { return _mm256_set_m128i(high, low); };
    // Transposes 8 x 8 codes; the halves of each vector are columns 0 2 4 6 and 1 3 5 7 at first.
    const __m256i x0 = pair(column(0), column(1)), x1 = pair(column(2), column(3)),
                  x2 = pair(column(4), column(5)), x3 = pair(column(6), column(7));
    const __m256i y0 = _mm256_unpacklo_epi16(x0, x1), y1 = _mm256_unpackhi_epi16(x0, x1),
                  y2 = _mm256_unpacklo_epi16(x2, x3), y3 = _mm256_unpackhi_epi16(x2, x3);
    const __m256i z[4] = {_mm256_unpacklo_epi32(y0, y2), _mm256_unpackhi_epi32(y0, y2),
                          _mm256_unpacklo_epi32(y1, y3), _mm256_unpackhi_epi32(y1, y3)};
    for (unsigned i = 0; i < 4; i += 2) {
      // Rows k = 2 i and 2 i + 1, then 2 i + 2 and 2 i + 3, eight columns each.
      const __m256i first = _mm256_permute4x64_epi64(z[i], 0xd8),
                    second = _mm256_permute4x64_epi64(z[i + 1], 0xd8);
      const unsigned k = 8 * r + 2 * i;
      const auto put = [&](unsigned at, __m128i codes) {
        _mm256_store_ps(q.b[at], _mm256_mul_ps(F::numbers(codes), _mm256_set1_ps(kQuickScale)));
      };
      put(k, _mm256_castsi256_si128(first));
      put(k + 1, _mm256_extracti128_si256(first, 1));
      put(k + 2, _mm256_castsi256_si128(second));
      put(k + 3, _mm256_extracti128_si256(second, 1));
      const __m256i bytes = to_bytes(exponents_of<F>(first, range), exponents_of<F>(second, range));
      _mm256_store_si256(reinterpret_cast<__m256i*>(q.eb[k]), bytes);
    }
  }
}

/// D = A B + C by fragments; false, with D untouched, where the operands are not for this.
template <class F, unsigned K>
inline bool quick_mma(const u16* const* a, const u16* const* b, const float* const* c,
                      float* const* d) {
  QuickOperands<K> q;
  CodeRange range;
  quick_a<F, K>(a, q, range);
  quick_b<F, K>(b, q, range);
  return range.within(F::kLow, F::kHigh) && quick_product<K>(q, c, d);
}
#endif

}  // namespace kw::ptxvm::KW_ISA

#pragma once
// Fragments of A and B for quick_product.h: numbers, and their exponents as bytes.

#include "handlers/quick_product.h"

namespace kw::ptxvm::KW_ISA {

#ifdef KW_QUICK_PRODUCT

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
struct QuickF16 : RangeF16 {
  static constexpr u16 kLow = 1, kHigh = 0x7c00;
  static __m256 numbers(__m128i codes) { return _mm256_cvtph_ps(codes); }
#if defined(__AVX512F__)
  static __m512 numbers(__m256i codes) { return _mm512_maskz_cvtph_ps(0xffff, codes); }
#endif
  static __m256i exponents(__m256i magnitude) {
    const __m256i field = _mm256_max_epi16(_mm256_srli_epi16(magnitude, 10), _mm256_set1_epi16(1));
    return _mm256_sub_epi16(field, _mm256_set1_epi16(15));
  }
};
struct QuickBF16 : RangeBF16 {
  static constexpr u16 kLow = (127 - kExponent) << 7, kHigh = (127 + kExponent + 1) << 7;
  static __m256 numbers(__m128i codes) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(codes), 16));
  }
#if defined(__AVX512F__)
  static __m512 numbers(__m256i codes) {
    const __m512i wide = _mm512_maskz_cvtepu16_epi32(0xffff, codes);
    return reinterpret_cast<__m512>(reinterpret_cast<UintV>(wide) << 16);
  }
#endif
  static __m256i exponents(__m256i magnitude) {
    return _mm256_sub_epi16(_mm256_srli_epi16(magnitude, 7), _mm256_set1_epi16(127));
  }
};

template <class F>
inline __m256i exponents_of(__m256i codes, CodeRange& range) {
  const __m256i magnitude = _mm256_and_si256(codes, _mm256_set1_epi16(0x7fff));
  range.note(magnitude);
  const __m256i zero = _mm256_cmpeq_epi16(magnitude, _mm256_setzero_si256());
  return _mm256_blendv_epi8(F::exponents(magnitude), _mm256_set1_epi16(F::kZero), zero);
}
inline __m256i to_bytes(__m256i low, __m256i high) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
}

// Four vectors from the four numbers that lie in each quarter: first the first of all quarters.
template <int... i>
inline FloatV repeated(FloatV x) {
  return __builtin_shufflevector(x, x, (i)...);
}
inline void spread(FloatV x, float (*to)[kWide]) {
  const auto put = [&](unsigned k, FloatV v) { *reinterpret_cast<FloatV*>(to[k]) = v; };
#if defined(__AVX512F__)
  put(0, repeated<0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12>(x));
  put(1, repeated<1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 13, 13, 13, 13>(x));
  put(2, repeated<2, 2, 2, 2, 6, 6, 6, 6, 10, 10, 10, 10, 14, 14, 14, 14>(x));
  put(3, repeated<3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15>(x));
#else
  put(0, repeated<0, 0, 0, 0, 4, 4, 4, 4>(x));
  put(1, repeated<1, 1, 1, 1, 5, 5, 5, 5>(x));
  put(2, repeated<2, 2, 2, 2, 6, 6, 6, 6>(x));
  put(3, repeated<3, 3, 3, 3, 7, 7, 7, 7>(x));
#endif
}

// As many rows as a vector has, eight codes each: all k of these rows.
template <class F>
inline void decode_rows(const u16* codes, float (*to)[kWide]) {
#if defined(__AVX512F__)
  const auto x = reinterpret_cast<FloatV>(F::numbers(_mm256_load_si256(as_vector(codes))));
  const auto y = reinterpret_cast<FloatV>(F::numbers(_mm256_load_si256(as_vector(codes + 16))));
  spread(__builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
         to);
  spread(__builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
         to + 4);
#else
  const auto row = [&](unsigned r) {
    const __m128i* from = reinterpret_cast<const __m128i*>(codes + 8 * r);
    return reinterpret_cast<FloatV>(F::numbers(_mm_load_si128(from)));
  };
  const FloatV x = row(0), y = row(1);
  spread(__builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11), to);
  spread(__builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15), to + 4);
#endif
}

// Register r of A is rows 8 (r % 2) and k from 8 (r / 2) on, eight of each, row by row.
template <class F, unsigned K>
inline void decode_a(const u16* const* registers, QuickA<K>& q) {
  CodeRange range;
  for (unsigned r = 0; r < K / 4; ++r) {
    const unsigned first = 8 * (r % 2);
    const u16* codes = registers[r];
    for (unsigned row = 0; row < 8; row += kWideRows)
      decode_rows<F>(codes + 8 * row, &q.a[(first + row) / kWideRows][8 * (r / 2)]);
    for (unsigned row = 0; row < 8; row += 4) {
      const __m256i* from = as_vector(codes + 8 * row);
      const __m256i bytes = to_bytes(exponents_of<F>(_mm256_load_si256(from), range),
                                     exponents_of<F>(_mm256_load_si256(from + 1), range));
      _mm256_store_si256(reinterpret_cast<__m256i*>(q.exponents[r / 2][first + row]), bytes);
    }
  }
  q.plain = range.within(F::kLow, F::kHigh);
}

// Register r of B is k from 8 r on, eight for each column, column by column.
template <class F, unsigned K>
inline void decode_b(const u16* const* registers, QuickB<K>& q) {
  CodeRange range;
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
      _mm256_store_si256(reinterpret_cast<__m256i*>(q.exponents[k]), bytes);
    }
  }
  q.plain = range.within(F::kLow, F::kHigh);
}
#endif

}  // namespace kw::ptxvm::KW_ISA

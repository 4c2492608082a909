#pragma once
// A step of matrix.h's model for a 16 x 8 tile with f32 accumulators, a whole vector of outputs at
// once. Only for operands of moderate size; the rest is left to matrix.h.
//
// A vector of outputs is what lies side by side in a register of the fragment: four columns of two
// rows (AVX2) or of four (AVX-512). Register 0 of the first eight rows has columns 0 2 4 6,
// register 1 has 1 3 5 7; registers 2 and 3 are those of the other eight rows.

#include "handlers/matrix.h"

namespace kw::ptxvm::KW_ISA {

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define KW_QUICK_PRODUCT

/// Exponents of factors are bytes, at most kExponent in size, or kZero for zero; a product of zero
/// is at most kLeastTop, and no other is less. f16 leaves room for sums that never wrap.
struct RangeF16 {
  static constexpr int kExponent = 15, kLowest = -14, kZero = -64, kLeastTop = -49;
  static __m256i sum(__m256i x, __m256i y) { return _mm256_add_epi8(x, y); }
};
struct RangeBF16 {
  static constexpr int kExponent = 30, kLowest = -30, kZero = -128, kLeastTop = -60;
  static __m256i sum(__m256i x, __m256i y) { return _mm256_adds_epi8(x, y); }
};
template <class R>
concept ByteRange = R::kZero + R::kExponent <= R::kLeastTop&& R::kLeastTop <= 2 * R::kLowest;
static_assert(ByteRange<RangeF16> && ByteRange<RangeBF16>);
/// B is scaled by this, so that what is added to a product's exponent is never negative.
inline constexpr float kQuickScale = 0x1p-40f;
inline constexpr int kQuickScaleBits = 40;

#if defined(__AVX512F__)
inline constexpr unsigned kWide = 16;
#else
inline constexpr unsigned kWide = 8;
#endif
inline constexpr unsigned kWideRows = kWide / 4;

/// Fragments, decoded. `plain` tells whether all is within the range above.
template <unsigned K>
struct QuickA {
  alignas(64) float a[16 / kWideRows][K][kWide];  // each element once for every column of a vector
  alignas(64) s8 exponents[K / 8][16][8];         // by eights of k, row, k
  bool plain;
};
template <unsigned K>
struct QuickB {
  alignas(64) float b[K][8];  // columns 0 2 4 6 1 3 5 7, times kQuickScale
  alignas(64) s8 exponents[K][8];
  bool plain;
};

typedef float FloatV __attribute__((vector_size(4 * kWide), may_alias));
typedef s32 IntV __attribute__((vector_size(4 * kWide), may_alias));
typedef u32 UintV __attribute__((vector_size(4 * kWide), may_alias));

inline const __m256i* as_vector(const void* p) { return static_cast<const __m256i*>(p); }
inline IntV splat(s32 value) { return IntV{} + value; }
inline s32 exponent_bits(u32 biased) { return static_cast<s32>(biased << 23); }
#if defined(__AVX512F__)
inline FloatV four_columns(const float* b) {
  return reinterpret_cast<FloatV>(_mm512_maskz_broadcast_f32x4(0xffff, _mm_load_ps(b)));
}
inline IntV widen(const u8* bytes) {
  return reinterpret_cast<IntV>(
      _mm512_maskz_cvtepu8_epi32(0xffff, _mm_load_si128(reinterpret_cast<const __m128i*>(bytes))));
}
inline bool any_negative(IntV v) { return _mm512_movepi32_mask(reinterpret_cast<__m512i>(v)) != 0; }
#else
inline FloatV four_columns(const float* b) {
  return reinterpret_cast<FloatV>(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(b)));
}
inline IntV widen(const u8* bytes) {
  return reinterpret_cast<IntV>(
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
}
inline bool any_negative(IntV v) { return _mm256_movemask_ps(reinterpret_cast<__m256>(v)) != 0; }
#endif

/// Until its end, what is rounded is cut off towards zero. What is computed meanwhile has to come
/// from memory and go there: compilers know nothing of the mode.
class CutOff {
 public:
  CutOff() : before_(_mm_getcsr()) { set(before_ | _MM_ROUND_TOWARD_ZERO); }
  ~CutOff() { set(before_); }
  CutOff(const CutOff&) = delete;
  CutOff& operator=(const CutOff&) = delete;

  /// Calls f in the mode of before.
  template <class F>
  void suspended(F&& f) const {
    set(before_);
    f();
    set(before_ | _MM_ROUND_TOWARD_ZERO);
  }

 private:
  static void set(unsigned mode) {
    asm volatile("" ::: "memory");
    _mm_setcsr(mode);
    asm volatile("" ::: "memory");
  }
  unsigned before_;
};

inline constexpr int kBias = 127;

/// From the exponents of a vector's products to those of the rows below it.
inline constexpr unsigned kNextTops = kWide == 8 ? 8 : 32;

/// The largest exponents of products, plus kBias: by four rows, register, row, column. True if some
/// output has no product but of zeros.
template <class Range, unsigned K>
inline bool largest_exponents(const QuickA<K>& a, const QuickB<K>& b, u8 (&top)[4][2][16]) {
  __m256i most[4];
  for (__m256i& m : most) m = _mm256_set1_epi8(Range::kLeastTop);
  for (unsigned eight = 0; eight < K / 8; ++eight) {
    // Two rows of eight bytes in each half: byte k of both, eight times each.
    __m256i pick = _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0);
    for (unsigned k = 0; k < 8; ++k) {
      long long columns;
      std::memcpy(&columns, b.exponents[8 * eight + k], 8);
      const __m256i column = _mm256_set1_epi64x(columns);
      for (unsigned g = 0; g < 4; ++g) {
        const __m256i rows = _mm256_load_si256(as_vector(a.exponents[eight][4 * g]));
        most[g] = _mm256_max_epi8(most[g], Range::sum(_mm256_shuffle_epi8(rows, pick), column));
      }
      pick = _mm256_add_epi8(pick, _mm256_set1_epi8(1));
    }
  }
  __m256i least = most[0];
  for (unsigned g = 0; g < 4; ++g) {
    least = _mm256_min_epi8(least, most[g]);
    // From row by row to register by register.
    const __m256i biased = _mm256_add_epi8(most[g], _mm256_set1_epi8(kBias));
    _mm256_store_si256(reinterpret_cast<__m256i*>(top[g][0]),
                       _mm256_permute4x64_epi64(_mm256_shuffle_epi32(biased, 0xd8), 0xd8));
  }
  const __m256i none = _mm256_cmpeq_epi8(least, _mm256_set1_epi8(Range::kLeastTop));
  return _mm256_testz_si256(none, none) == 0;
}

/// A vector of sums in units of 2^(top - kFraction), each its own.
struct Sums {
  IntV shift;  // added to a product's exponent: it then counts those units
  IntV sum;

  /// `lost` becomes negative where C is too large.
  void begin(const float* c, const u8* top, IntV& lost) {
    const IntV old = *reinterpret_cast<const IntV*>(c);
    const IntV before = old & 0x7f800000, product = widen(top) << 23;
    const IntV exponent = before > product ? before : product;
    shift = exponent_bits(kFraction + kBias + kQuickScaleBits) - exponent;
    lost |= shift;
    const UintV unit = ((kFraction + 2u * kBias) << 23) - reinterpret_cast<UintV>(exponent);
    sum = __builtin_convertvector(reinterpret_cast<FloatV>(old) * reinterpret_cast<FloatV>(unit),
                                  IntV);
  }
  void add(FloatV a, FloatV b) {
    const IntV product = reinterpret_cast<IntV>(a * b) + shift;
    sum += __builtin_convertvector(reinterpret_cast<FloatV>(product), IntV);
    asm("" : "+x"(sum));  // one after another: compilers make a tree of it, and spill
  }
  /// Negative where the sum is not within 2^30.
  IntV half_full() const {
    return reinterpret_cast<IntV>(reinterpret_cast<UintV>(sum) + (1u << 30));
  }
  /// The result; CutOff makes the conversion cut.
  FloatV value() const {
    const IntV back = exponent_bits(kBias + kQuickScaleBits) - shift;
    return __builtin_convertvector(sum, FloatV) * reinterpret_cast<FloatV>(back);
  }
};

/// Rows from `row` on, as many as two vectors have, by the model for every input.
template <Model model, unsigned K>
[[gnu::noinline]] void accumulate_rows(const QuickA<K>& a, const QuickB<K>& b,
                                       const float* const* c, float* const* d, unsigned row) {
  float factors[K], others[K];
  for (unsigned m = row; m < row + 2 * kWideRows; ++m) {
    for (unsigned k = 0; k < K; ++k) factors[k] = a.a[m / kWideRows][k][4 * (m % kWideRows)];
    for (unsigned n = 0; n < 8; ++n) {
      for (unsigned k = 0; k < K; ++k) others[k] = b.b[k][n] * (1 / kQuickScale);
      const unsigned r = 2 * (m / 8) + n / 4, l = 4 * (m % 8) + n % 4;
      d[r][l] = accumulate_any<model>(factors, others, 1, c[r][l]);
    }
  }
}

/// Whether numbers of C that are not zero would be lost for want of a product: in two vectors of
/// each of two registers.
template <class Range>
[[gnu::noinline]] bool loses_tiny(const float* c0, const float* c1, const u8* top0,
                                  const u8* top1) {
  const auto lost = [](const float* c, const u8* top) {
    const IntV magnitude = *reinterpret_cast<const IntV*>(c) & 0x7fffffff;
    return (magnitude != 0) & (magnitude < exponent_bits(Range::kLeastTop + kBias + 1)) &
           (widen(top) == Range::kLeastTop + kBias);
  };
  return any_negative(lost(c0, top0) | lost(c0 + kWide, top0 + kNextTops) | lost(c1, top1) |
                      lost(c1 + kWide, top1 + kNextTops));
}

/// D registers from C registers, four of each, as 32 lane values; register i of D may be register i
/// of C, and no other. A and B are plain.
template <class Range, Model model, unsigned K>
inline void quick_product(const QuickA<K>& a, const QuickB<K>& b, const float* const* c,
                          float* const* d, const CutOff& cut) {
  static_assert(kFraction == 25 && model.step == K && (K == 8 || K == 16) && !model.half);
  alignas(64) u8 top[4][2][16];
  const bool zeros = largest_exponents<Range>(a, b, top);
#pragma GCC unroll 1
  for (unsigned row = 0; row < 16; row += 2 * kWideRows) {
    const unsigned r = 2 * (row / 8), at = 4 * (row % 8);
    const float *c0 = c[r] + at, *c1 = c[r + 1] + at;
    const u8 *top0 = &top[row / 4][0][0], *top1 = &top[row / 4][1][0];
    IntV lost{};
    Sums s0, s1, s2, s3;
    s0.begin(c0, top0, lost);
    s1.begin(c1, top1, lost);
    s2.begin(c0 + kWide, top0 + kNextTops, lost);
    s3.begin(c1 + kWide, top1 + kNextTops, lost);
    const auto* first = reinterpret_cast<const FloatV*>(a.a[row / kWideRows]);
    const float* columns = b.b[0];
    asm("" : "+r"(columns));  // read anew each time: compilers keep all of B, and spill
    const auto multiply = [&](unsigned k) __attribute__((always_inline)) {
      const FloatV even = four_columns(columns + 8 * k), odd = four_columns(columns + 8 * k + 4);
      s0.add(first[k], even);
      s1.add(first[k], odd);
      s2.add(first[K + k], even);
      s3.add(first[K + k], odd);
    };
#pragma GCC unroll 8
    for (unsigned k = 0; k < 8; ++k) multiply(k);
    if constexpr (K == 16) {
      // Eight products are below 2^30, so all fit if C and the first half are below it too.
      lost |= s0.half_full() | s1.half_full() | s2.half_full() | s3.half_full();
#pragma GCC unroll 8
      for (unsigned k = 8; k < 16; ++k) multiply(k);
    }
    if (KW_UNLIKELY(any_negative(lost)) ||
        KW_UNLIKELY(zeros && loses_tiny<Range>(c0, c1, top0, top1))) {
      cut.suspended([&] { accumulate_rows<model>(a, b, c, d, row); });
      continue;
    }
    const auto put = [](float* to, const Sums& s) { *reinterpret_cast<FloatV*>(to) = s.value(); };
    put(d[r] + at, s0);
    put(d[r + 1] + at, s1);
    put(d[r] + at + kWide, s2);
    put(d[r + 1] + at + kWide, s3);
  }
}
#endif

}  // namespace kw::ptxvm::KW_ISA

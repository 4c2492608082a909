// The numbers of fill.h, one element at a time, in the common subset of C++ and CUDA: g++ and NVRTC
// compile this same text, so both give the same bytes. Only integer arithmetic, shifts of exponents,
// and single correctly rounded float operations (KW_MUL, KW_ADD) occur.
#ifndef KW_FILL_ELEMENT
#define KW_FILL_ELEMENT

#if defined(__CUDACC_RTC__) || defined(__CUDACC__)
#define KW_FN __device__ __forceinline__
#define KW_MUL(a, b) __fmul_rn(a, b)
#define KW_ADD(a, b) __fadd_rn(a, b)
#define KW_BITS(x) __float_as_uint(x)
#define KW_FLOAT(x) __uint_as_float(x)
#else
#define KW_FN inline
#define KW_MUL(a, b) ((a) * (b))
#define KW_ADD(a, b) ((a) + (b))
#define KW_BITS(x) __builtin_bit_cast(unsigned int, (float)(x))
#define KW_FLOAT(x) __builtin_bit_cast(float, (unsigned int)(x))
#endif

typedef unsigned int kw_u32;
typedef unsigned long long kw_u64;

enum KwSource {
  kKwUniform = 0,   // a + u * b
  kKwNormal = 1,    // b * n + a
  kKwIntegers = 2,  // base + below(range)
  kKwConstant = 3,  // a
  kKwCodes = 4,     // bytes of packed codes; `range` finite magnitudes of an 8-bit float, 0: all bytes
  kKwScaleE8M0 = 5,
  kKwScaleE4M3 = 6,
  kKwScaleF16 = 7,
  kKwScaleF32 = 8,
  kKwCoherent = 9,
  kKwSpiky = 10,
  kKwDenormal = 11,
  kKwHuge = 12,
  kKwRowScaled = 13,
  kKwNonFinite = 14,
  kKwCoherentCoarse = 15
};
enum KwStore { kKwF64 = 0, kKwF32, kKwF16, kKwBF16, kKwI64, kKwI32, kKwI16, kKwI8, kKwU8, kKwBool };
enum { kKwMaxTransforms = 8 };

struct KwTransform {
  int kind;  // 0: multiply by value, 1: add it, 2: keep column - row <= value, 3: >= value
  float value;
};

struct KwFill {
  kw_u64 elements, row, rows, seed, stream;  // rows of `row` elements make a matrix
  kw_u64 pick;    // NonFinite: an element that is special for certain
  long long base; // Integers; scales: the lowest exponent
  kw_u64 range;   // Integers, scales: how many; codes: finite magnitudes
  kw_u32 code_clear, code_set;  // Codes: bits of each byte that are always 0, always 1
  float a, b;     // Uniform, Normal, Constant, families
  int exponent;   // Huge, Spiky, RowScaled: the middle or lowest power of two
  int span;       // ... and how many powers
  int source, store, transforms;
  struct KwTransform transform[kKwMaxTransforms];
};

struct KwWords {
  kw_u32 w[4];
};

/// Philox4x32-10, as kw::philox.
KW_FN struct KwWords kw_philox(kw_u64 seed, kw_u64 stream, kw_u64 index) {
  kw_u32 c0 = (kw_u32)index, c1 = (kw_u32)(index >> 32);
  kw_u32 c2 = (kw_u32)stream, c3 = (kw_u32)(stream >> 32);
  kw_u32 k0 = (kw_u32)seed, k1 = (kw_u32)(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const kw_u64 p0 = (kw_u64)0xD2511F53u * c0;
    const kw_u64 p1 = (kw_u64)0xCD9E8D57u * c2;
    c0 = (kw_u32)(p1 >> 32) ^ c1 ^ k0;
    c2 = (kw_u32)(p0 >> 32) ^ c3 ^ k1;
    c1 = (kw_u32)p1;
    c3 = (kw_u32)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  struct KwWords out = {{c0, c1, c2, c3}};
  return out;
}

/// 2^e for e in [-126, 127].
KW_FN float kw_power(int e) { return KW_FLOAT((kw_u32)(e + 127) << 23); }
/// [0, 1) in steps of 2^-24.
KW_FN float kw_unit(kw_u32 w) { return KW_MUL((float)(int)(w >> 8), 5.9604644775390625e-8f); }
/// [-1, 1) in steps of 2^-23.
KW_FN float kw_signed_unit(kw_u32 w) {
  return KW_MUL((float)((int)(w >> 8) - 8388608), 1.1920928955078125e-7f);
}
/// Sum of twelve 16-bit uniforms and eight more bits below them, centred; variance 1.
KW_FN float kw_normal(const kw_u32* w) {
  int sum = 0;
  for (int i = 0; i < 6; ++i) sum += (int)(w[i] & 0xFFFFu) + (int)(w[i] >> 16);
  const int fine = (sum - 6 * 65535) * 256 + (int)(w[6] & 255u) - 128;
  return KW_MUL((float)fine, 5.9604644775390625e-8f);
}
/// 2^low .. 2^(low + span - 1), uniform in the exponent.
KW_FN float kw_any_power(kw_u32 w, int low, int span) {
  return kw_power(low + (int)(((kw_u64)w * (kw_u32)span) >> 32));
}

/// Words of randomness that one element of a source takes.
KW_FN int kw_words(int source) {
  return source == kKwNormal ? 7 : source == kKwSpiky || source == kKwNonFinite ? 8 : 1;
}

/// NaN, +Inf or -Inf.
KW_FN float kw_special(kw_u32 kind) {
  return KW_FLOAT(kind == 0 ? 0x7FC00000u : kind == 1 ? 0x7F800000u : 0xFF800000u);
}

/// The float value of a source, before transforms.
KW_FN float kw_source(const struct KwFill* f, kw_u64 i, const kw_u32* w) {
  switch (f->source) {
    case kKwUniform: return KW_ADD(f->a, KW_MUL(kw_unit(w[0]), f->b));
    case kKwNormal: return KW_ADD(KW_MUL(kw_normal(w), f->b), f->a);
    case kKwIntegers: return (float)(f->base + (long long)((w[0] * f->range) >> 32));
    case kKwConstant: return f->a;
    case kKwCoherent:
      // Positive, in [0.5, 2). Fraction bits: 7 random, 0110 1111 1111, 4 random. The low 13 bits lie
      // just below the tie of TF32 and FP16, the low 16 just below that of BF16, so all three round
      // down by almost as much as they can.
      return KW_FLOAT(((126u + (w[0] >> 31)) << 23) | ((w[0] & 0x7Fu) << 16) | 0x6FF0u |
                      ((w[0] >> 8) & 15u));
    case kKwCoherentCoarse:
      // As above below the ties of FP8. Fraction bits: 2 random, 0 0111, 16 random: E4M3 and E5M2 round
      // down by almost half a unit and by almost a quarter.
      return KW_FLOAT(((126u + (w[0] >> 31)) << 23) | ((w[0] >> 29 & 3u) << 21) | 0x070000u |
                      (w[0] & 0xFFFFu));
    case kKwSpiky: {
      const float n = kw_normal(w);
      return (w[7] & 511u) == 0 ? KW_MUL(n, kw_any_power(w[6], f->exponent, f->span)) : n;
    }
    case kKwDenormal:
      return KW_FLOAT((w[0] & 0x80000000u) | ((w[0] >> 29 & 3u) << 23) | (w[0] & 0x7FFFFFu));
    case kKwHuge: {
      const float magnitude = KW_FLOAT(0x3F800000u | (w[0] & 0x7FFFFFu));
      const float scale = kw_power(f->exponent + (int)((w[0] >> 23 & 0xFFu) % (kw_u32)f->span));
      return KW_MUL(w[0] >> 31 ? -magnitude : magnitude, scale);
    }
    case kKwRowScaled: {
      const struct KwWords r = kw_philox(f->seed, f->stream ^ 0x726F7773ull, i / f->row);
      return KW_MUL(kw_signed_unit(w[0]), kw_any_power(r.w[0], f->exponent, f->span));
    }
    case kKwNonFinite: {
      // One row in four has them, so that results which do not mix rows stay telling.
      // For certain there are a NaN and both infinities, each at about eight places of a row of its own,
      // a third of the rows apart: a mask, a triangle or a window cannot hide them all. Where there are
      // fewer than three rows it is the one that the seed names.
      const kw_u64 row = f->row > 0 && f->row < f->elements ? f->row : f->elements;
      const kw_u64 rows = f->elements / row, certain = rows >= 3 ? 3 : 1;
      const kw_u64 step = row >= 8 ? row / 8 : row;
      for (kw_u64 j = 0; j < certain; ++j) {
        const kw_u64 at = (f->pick / row + j * (rows / certain)) % rows;
        if (i / row == at && (i % row + row - f->pick % row) % row % step == 0) {
          return kw_special((kw_u32)((f->seed + j) % 3u));
        }
      }
      if ((w[7] % 997u != 0 ||
                           (kw_philox(f->seed, f->stream ^ 0x726F7773ull, i / f->row).w[1] & 3u) != 0)) {
        return kw_normal(w);
      }
      return kw_special(w[6] % 3u);
    }
    default: return 0.0f;
  }
}

/// Nearest FP16, ties to even, by integer arithmetic.
KW_FN kw_u32 kw_half(float x) {
  const kw_u32 u = KW_BITS(x), sign = u >> 16 & 0x8000u, m = u & 0x7FFFFFFFu;
  if (m > 0x7F800000u) return sign | 0x7E00u;
  if (m >= 0x477FF000u) return sign | 0x7C00u;  // 65520 and more
  if (m >= 0x38800000u) return sign | ((m - 0x38000000u + 0xFFFu + (m >> 13 & 1u)) >> 13);
  if (m < 0x33000000u) return sign;  // below half of the least denormal
  const kw_u32 fraction = (m & 0x7FFFFFu) | 0x800000u, shift = 126u - (m >> 23);
  const kw_u32 rest = fraction & ((1u << shift) - 1u), half = 1u << (shift - 1u);
  const kw_u32 kept = fraction >> shift;
  return sign | (kept + (rest > half || (rest == half && (kept & 1u)) ? 1u : 0u));
}
KW_FN kw_u32 kw_bfloat(float x) {
  const kw_u32 u = KW_BITS(x);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return (u >> 16) | 0x40u;
  return (u + 0x7FFFu + (u >> 16 & 1u)) >> 16;
}

/// Stored bits of element i, given its words.
KW_FN kw_u64 kw_element(const struct KwFill* f, kw_u64 i, const kw_u32* w) {
  switch (f->source) {
    case kKwCodes: {
      const kw_u64 code = f->range == 0 ? w[0] >> 24
                                        : (((w[0] & 0xFFFFFFu) * f->range) >> 24) | (w[0] >> 31 << 7);
      return (code & ~(kw_u64)f->code_clear) | f->code_set;
    }
    case kKwScaleE8M0: return (kw_u64)(f->base + (long long)((w[0] * f->range) >> 32));
    case kKwScaleE4M3:
    case kKwScaleF16:
    case kKwScaleF32: {  // exponent uniform; the highest power has no fraction
      const kw_u64 at = (w[0] * f->range) >> 32;
      const int bits = f->source == kKwScaleE4M3 ? 3 : f->source == kKwScaleF16 ? 10 : 23;
      const kw_u64 fraction = at + 1 == f->range ? 0 : kw_philox(f->seed, f->stream ^ 0x7363616Cull, i).w[0] >> (32 - bits);
      return ((kw_u64)(f->base + (long long)at) << bits) | fraction;
    }
    case kKwIntegers:
      if (f->transforms == 0 && f->store >= kKwI64) {
        return (kw_u64)(f->base + (long long)((w[0] * f->range) >> 32));
      }
      break;
    case kKwDenormal:
      if (f->store == kKwF16) return (w[0] >> 31 << 15) | ((w[0] >> 29 & 3u) << 10) | (w[0] & 0x3FFu);
      break;
    default: break;
  }
  float x = kw_source(f, i, w);
  for (int t = 0; t < f->transforms; ++t) {
    const int kind = f->transform[t].kind;
    const float value = f->transform[t].value;
    if (kind >= 2) {
      const float diagonal = (float)((long long)(i % f->row) - (long long)(i / f->row % f->rows));
      if (kind == 2 ? diagonal > value : diagonal < value) x = 0.0f;
    } else {
      x = kind == 1 ? KW_ADD(x, value) : KW_MUL(x, value);
    }
  }
  switch (f->store) {
    case kKwF32: return KW_BITS(x);
    case kKwF16: return kw_half(x);
    case kKwBF16: return kw_bfloat(x);
    case kKwF64: {
#if defined(__CUDACC_RTC__) || defined(__CUDACC__)
      return (kw_u64)__double_as_longlong((double)x);
#else
      return __builtin_bit_cast(kw_u64, (double)x);
#endif
    }
    case kKwBool: return x != 0.0f ? 1 : 0;
    default: return (kw_u64)(long long)x;
  }
}

KW_FN int kw_width(int store) {
  return store == kKwF64 || store == kKwI64 ? 8 : store == kKwF32 || store == kKwI32 ? 4
         : store == kKwF16 || store == kKwBF16 || store == kKwI16 ? 2 : 1;
}

/// Stored bits of elements 4g .. 4g+3. Element 4g+l of a source that takes k words has words l*k ..
/// of the k Philox blocks g*k ..
template <int K>
KW_FN void kw_group_of(const struct KwFill* f, kw_u64 g, kw_u64* bits) {
  kw_u32 words[4 * K];
  for (int b = 0; b < K; ++b) {
    const struct KwWords block = kw_philox(f->seed, f->stream, g * K + (kw_u64)b);
    for (int j = 0; j < 4; ++j) words[4 * b + j] = block.w[j];
  }
  for (int l = 0; l < 4; ++l) bits[l] = kw_element(f, 4 * g + (kw_u64)l, words + l * K);
}
KW_FN void kw_group(const struct KwFill* f, kw_u64 g, kw_u64* bits) {
  switch (kw_words(f->source)) {
    case 7: kw_group_of<7>(f, g, bits); break;
    case 8: kw_group_of<8>(f, g, bits); break;
    default: kw_group_of<1>(f, g, bits); break;
  }
}

#endif

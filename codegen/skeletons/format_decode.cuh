// Decoding of block formats. A format struct F (generated) gives
//   kKind: 0 minifloat, 1 two's complement, 2 unsigned    kBits, kMantissa, kNan
//   kBlock, kRowBytes, kRowScales, kRowZeros              layout of a row
//   kRaise: what an FP16 pattern with a minifloat's fields is multiplied by (2^(15 - bias))
//   kFactor: what a code's value is multiplied by (2^-6 for MXINT8)
//   kScale: 0 E8M0, 1 E4M3, 2 FP16                        kZeros: a zero code per block
// Codes become FP16 patterns two at a time (every code of at most 8 bits is exact in FP16), then
// FP32. Pair i of a word holds its codes i and i + half, so that one mask serves both halves.

__device__ __forceinline__ float kw_e8m0(unsigned int byte) {
  const unsigned int bits = byte == 255u ? 0x7fffffffu : (byte == 0u ? 0x00400000u : byte << 23);
  return __uint_as_float(bits);
}

__device__ __forceinline__ float kw_half_bits(unsigned int bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}

/// E4M3: the FP16 pattern with the same fields is 2^8 too small. S.1111.111 is NaN.
__device__ __forceinline__ float kw_e4m3(unsigned int byte) {
  const float value = kw_half_bits(((byte & 0x80u) << 8) | ((byte & 0x7fu) << 7)) * 256.0f;
  return (byte & 0x7fu) == 0x7fu ? KW_NAN : value;
}

/// Two codes, one in each half of `pair`, as FP32 values; integers minus `offset`.
template <class F>
__device__ __forceinline__ float2 kw_decode_pair(unsigned int pair, __half2 offset) {
  constexpr unsigned int kSign = (1u << (F::kBits - 1)) * 0x00010001u;
  constexpr unsigned int kRest = ((1u << (F::kBits - 1)) - 1u) * 0x00010001u;
  if (F::kKind == 0) {
    const unsigned int bits =
        ((pair & kSign) << (16 - F::kBits)) | ((pair & kRest) << (10 - F::kMantissa));
    __half2 exact = *reinterpret_cast<const __half2*>(&bits);
    if (F::kRaise != 1) exact = __hmul2(exact, __half2half2(__int2half_rn(F::kRaise)));
    float2 value = __half22float2(exact);
    if (F::kNan) {  // the top code of E4M3 would read as 480
      value.x = fabsf(value.x) == 480.0f ? KW_NAN : value.x;
      value.y = fabsf(value.y) == 480.0f ? KW_NAN : value.y;
    }
    return value;
  }
  // 1024 + code is an FP16 pattern; `offset` takes the 1024 and the bias away again, exactly.
  const unsigned int bits = (F::kKind == 1 ? pair ^ kSign : pair) | 0x64006400u;
  return __half22float2(__hsub2(*reinterpret_cast<const __half2*>(&bits), offset));
}

/// What integer codes are offset by: their zero point, and 1024 for kw_decode_pair.
template <class F>
__device__ __forceinline__ __half2 kw_code_offset(int zero) {
  const int bias = F::kKind == 1 ? (1 << (F::kBits - 1)) : (F::kZeros ? zero : F::kBias);
  return __half2half2(__int2half_rn(1024 + bias));
}

/// All codes of N elements packed in words (kBits each, the first in the lowest bits).
template <class F, int N, int kWords>
__device__ __forceinline__ void kw_decode_words(const unsigned int (&words)[kWords], int zero,
                                                float (&out)[N]) {
  constexpr int kPerWord = 32 / F::kBits, kPairs = kPerWord / 2;
  constexpr unsigned int kMask = ((1u << F::kBits) - 1u) * 0x00010001u;
  const __half2 offset = kw_code_offset<F>(zero);
#pragma unroll
  for (int j = 0; j < kWords; ++j) {
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const float2 value = kw_decode_pair<F>((words[j] >> (F::kBits * i)) & kMask, offset);
      if (j * kPerWord + i < N) out[j * kPerWord + i] = value.x;
      if (j * kPerWord + i + kPairs < N) out[j * kPerWord + i + kPairs] = value.y;
    }
  }
}

/// Byte of the row that holds (the first bits of) code k.
template <class F, class Index>
__device__ __forceinline__ Index kw_code_byte(Index k) {
  return F::kBits == 8 ? k : k / (8 / F::kBits);
}

/// Place of code k in that byte.
template <class F, class Index>
__device__ __forceinline__ int kw_code_shift(Index k) {
  return F::kBits == 8 ? 0 : static_cast<int>(k % (8 / F::kBits)) * F::kBits;
}

/// The packed codes of N elements from k on, in one access; N * kBits is at most 128 bits.
template <class F, int N>
struct KwCodeWords {
  static constexpr int kBytes = N * F::kBits / 8;
  static constexpr int kWords = kBytes < 4 ? 1 : kBytes / 4;
  unsigned int words[kWords];

  template <class Row, class K>
  __device__ __forceinline__ void load(const unsigned char* codes, Row row, K k) {
    using Word = typename KwWord<kBytes>::type;
    const auto at = row * static_cast<Row>(F::kRowBytes) + kw_code_byte<F>(k);
    const Word word = __ldg(reinterpret_cast<const Word*>(codes + at));
    if constexpr (kBytes < 4) {
      words[0] = word;
    } else {
      *reinterpret_cast<Word*>(words) = word;
    }
  }
};

/// The scale of a block; kFactor is apart, since 2^127 times it would overflow.
template <class F, class Row, class K>
__device__ __forceinline__ float kw_block_scale(const typename F::Scale* scales, Row row, K block) {
  const typename F::Scale stored =
      __ldg(scales + (row * static_cast<Row>(F::kRowScales) + block));
  if constexpr (F::kScale == 0) {
    return kw_e8m0(stored);
  } else if constexpr (F::kScale == 1) {
    return kw_e4m3(stored);
  } else {
    return __half2float(stored);
  }
}

template <class F, class Row, class K>
__device__ __forceinline__ int kw_block_zero(const unsigned char* zeros, Row row, K block) {
  const int byte = __ldg(zeros + (row * static_cast<Row>(F::kRowZeros) + kw_code_byte<F>(block)));
  return (byte >> kw_code_shift<F>(block)) & ((1 << F::kBits) - 1);
}

/// N elements from k on (a multiple of N; N divides the block). Index holds every offset.
template <class F, int N, class Index>
__device__ __forceinline__ void kw_decode_run(const unsigned char* codes,
                                              const typename F::Scale* scales,
                                              const unsigned char* zeros, const float* tensor_scale,
                                              Index row, Index k, float (&out)[N]) {
  const Index block = k / F::kBlock;
  KwCodeWords<F, N> packed;
  packed.load(codes, row, k);
  int zero = 0;
  if constexpr (F::kZeros) zero = kw_block_zero<F>(zeros, row, block);
  const float scale = kw_block_scale<F>(scales, row, block);
  float factor = 1.0f;
  if constexpr (F::kTensorScale) factor = __ldg(tensor_scale);
  kw_decode_words<F, N>(packed.words, zero, out);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    out[i] = out[i] * F::kFactor * scale;
    if constexpr (F::kTensorScale) out[i] *= factor;
  }
}

/// One element, whatever its place in a byte.
template <class F, class Index>
__device__ __forceinline__ float kw_decode_element(const unsigned char* codes,
                                                   const typename F::Scale* scales,
                                                   const unsigned char* zeros,
                                                   const float* tensor_scale, Index row, Index k) {
  const Index block = k / F::kBlock;
  const unsigned int byte = codes[row * static_cast<Index>(F::kRowBytes) + kw_code_byte<F>(k)];
  const unsigned int code = (byte >> kw_code_shift<F>(k)) & ((1u << F::kBits) - 1u);
  int zero = 0;
  if constexpr (F::kZeros) zero = kw_block_zero<F>(zeros, row, block);
  float value = kw_decode_pair<F>(code, kw_code_offset<F>(zero)).x;
  value = value * F::kFactor * kw_block_scale<F>(scales, row, block);
  if constexpr (F::kTensorScale) value *= __ldg(tensor_scale);
  return value;
}

// Encoding into block formats, bit-exact: every step is one named IEEE operation in a fixed order.
// Beside what format_decode.cuh lists, F gives
//   kRule: 0 CEIL, 1 OCP, 2 NV, 3 affine symmetric, 4 affine asymmetric
//   kQmax, kQexponent, kQfraction   largest code value, floor(log2) and FP32 fraction bits of it
//   kExponentBias, kShift           of a minifloat; of a fixed-point code (value = q * 2^-kShift)

/// Code of the nearest minifloat (ties to even), saturating. |v| + 2^23 u rounds at u, the unit of
/// the last place of the code; the fields then fall out of the FP32 pattern.
template <int kBits, int kMantissa, int kBias>
__device__ __forceinline__ unsigned int kw_encode_minifloat(float v, float qmax) {
  const unsigned int sign = (__float_as_uint(v) >> 31) << (kBits - 1);
  const float a = fminf(fabsf(v), qmax);
  const unsigned int exponent = max(__float_as_uint(a) >> 23, 128u - kBias);
  const float magic = __uint_as_float((exponent + 23u - kMantissa) << 23);
  const float rounded = __fsub_rn(__fadd_rn(a, magic), magic);
  const float moved = __fmul_rn(rounded, __uint_as_float(static_cast<unsigned int>(kBias) << 23));
  return sign | (__float_as_uint(moved) >> (23 - kMantissa));
}

template <class F>
__device__ __forceinline__ unsigned int kw_encode_code(float v) {
  if constexpr (F::kKind == 0) {
    return kw_encode_minifloat<F::kBits, F::kMantissa, F::kExponentBias>(v, F::kQmax);
  } else {
    const float q = rintf(fminf(fmaxf(v, -F::kQmax), F::kQmax));
    return static_cast<unsigned int>(static_cast<int>(q)) & ((1u << F::kBits) - 1u);
  }
}

/// What the elements of one block are encoded with.
struct KwEncodeScale {
  unsigned int stored;  // bits of the scale
  float first, second;  // E8M0: x * first * second; NV: x * first; affine: x / first
  int zero;             // affine
  bool finite;
};

/// 2^n for n in -126..127.
__device__ __forceinline__ float kw_power_of_two(int n) {
  return __uint_as_float(static_cast<unsigned int>(n + 127) << 23);
}

/// E8M0: the exponent of the block's magnitude, compared exactly with that of Qmax.
template <class F>
__device__ __forceinline__ KwEncodeScale kw_scale_e8m0(unsigned int magnitude) {
  if (magnitude == 0u) return {0u, 1.0f, 1.0f, 0, true};
  unsigned int bits = magnitude;
  int exponent = static_cast<int>(bits >> 23) - 127;
  if (bits < 0x00800000u) {  // subnormal: 2^24 makes it normal, exactly
    bits = __float_as_uint(__fmul_rn(__uint_as_float(bits), 16777216.0f));
    exponent = static_cast<int>(bits >> 23) - 127 - 24;
  }
  int e = exponent;
  if constexpr (F::kRule == 0) {
    e = exponent - F::kQexponent + ((bits & 0x7fffffu) > F::kQfraction ? 1 : 0);
  } else {
    e = exponent - (F::kKind == 0 ? F::kQexponent : F::kShift);
  }
  e = max(-127, min(127, e));
  const int stored = max(0, min(254, e + F::kShift + 127));
  const int n = 127 + F::kShift - stored;  // x * 2^n, in two exact steps
  const int half = n / 2;
  return {static_cast<unsigned int>(stored), kw_power_of_two(half), kw_power_of_two(n - half), 0,
          true};
}

template <class F>
__device__ __forceinline__ KwEncodeScale kw_scale_nv(unsigned int magnitude, float g) {
  const float ratio = __fdiv_rn(__uint_as_float(magnitude), F::kQmax);
  const unsigned int stored = kw_encode_minifloat<8, 3, 7>(__fmul_rn(ratio, g), 448.0f);
  const float scale = kw_e4m3(stored);
  return {stored, scale == 0.0f ? 0.0f : __fdiv_rn(g, scale), 1.0f, 0, true};
}

/// The scale is rounded to FP16, then kept at least 1e-5 away from zero.
template <class F>
__device__ __forceinline__ KwEncodeScale kw_scale_affine(float low, float high) {
  constexpr float kLevels = static_cast<float>(1 << F::kBits);
  float s;
  if constexpr (F::kRule == 3) {
    s = __fdiv_rn(high < -low ? -low : -high, kLevels / 2);
  } else {
    s = __fdiv_rn(__fsub_rn(high, low), kLevels - 1);
  }
  s = __half2float(__float2half_rn(s));
  s = s < 0.0f ? fminf(s, -1e-5f) : fmaxf(s, 1e-5f);
  const __half stored = __float2half_rn(s);
  s = __half2float(stored);
  int zero = 1 << (F::kBits - 1);
  if constexpr (F::kRule == 4) {
    zero = static_cast<int>(fminf(fmaxf(rintf(__fdiv_rn(-low, s)), 0.0f), kLevels - 1));
  }
  return {static_cast<unsigned int>(__half_as_ushort(stored)), s, 1.0f, zero, true};
}

/// `magnitude`: the largest |x| of the block as FP32 bits (so that NaN and Inf are above all
/// finite values); low <= 0 <= high: its extrema; g: the tensor's factor.
template <class F>
__device__ __forceinline__ KwEncodeScale kw_encode_scale(unsigned int magnitude, float low,
                                                         float high, float g) {
  if (magnitude >= 0x7f800000u) {
    constexpr unsigned int kBad = F::kScale == 0 ? 0xffu : (F::kScale == 1 ? 0x7fu : 0x7e00u);
    return {kBad, 0.0f, 0.0f, 0, false};
  }
  if constexpr (F::kRule <= 1) {
    return kw_scale_e8m0<F>(magnitude);
  } else if constexpr (F::kRule == 2) {
    return kw_scale_nv<F>(magnitude, g);
  } else {
    return kw_scale_affine<F>(low, high);
  }
}

template <class F>
__device__ __forceinline__ unsigned int kw_encode_element(float x, const KwEncodeScale& scale) {
  if (!scale.finite) return 0u;
  if constexpr (F::kRule <= 1) {
    return kw_encode_code<F>(__fmul_rn(__fmul_rn(x, scale.first), scale.second));
  } else if constexpr (F::kRule == 2) {
    // 1 / scale may overflow: a zero stays a zero.
    return kw_encode_code<F>(x == 0.0f ? x : __fmul_rn(x, scale.first));
  } else {
    const float q = rintf(__fdiv_rn(x, scale.first)) + static_cast<float>(scale.zero);
    return static_cast<unsigned int>(fminf(fmaxf(q, 0.0f), static_cast<float>((1 << F::kBits) - 1)));
  }
}

/// g = fl32(448 * Qmax / amax): 1 for a zero tensor, the largest finite number on overflow.
template <class F>
__device__ __forceinline__ float kw_tensor_factor(float amax) {
  if (amax == 0.0f) return 1.0f;
  return fminf(__fdiv_rn(448.0f * F::kQmax, amax), 3.40282347e+38f);
}

template <class F>
__device__ __forceinline__ void kw_store_scale(typename F::Scale* scales, long long at,
                                               unsigned int stored) {
  if constexpr (F::kScale == 2) {
    scales[at] = __ushort_as_half(static_cast<unsigned short>(stored));
  } else {
    scales[at] = static_cast<unsigned char>(stored);
  }
}

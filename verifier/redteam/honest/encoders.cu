//! task: quantize 3 96
//! about: eight-bit blocks, exact to the bit
//! variant: block_per_thread MODE=1;; launch: k grid 1 block 9
//! variant: block_per_warp MODE=2;; launch: k grid 3 block 96
// scale = 2^e, the least e with amax <= 127/64 2^e; code = round to nearest even of x / 2^(e - 6).
__device__ int exponent_of(float amax) {
  if (!(amax > 0.f)) return -127;
  int e;
  float m = frexpf(amax, &e);         // amax = m 2^e, 0.5 <= m < 1
  e = m <= 127.f / 128.f ? e - 1 : e;  // 127/64 2^(e-1) = 127/128 2^e
  return max(-121, min(127, e));  // -127 in units of the code, whose fraction has six bits
}
extern "C" __global__ void k(const float* x, signed char* codes, unsigned char* scales) {
#if MODE == 1
  const int b = threadIdx.x;
  float amax = 0.f;
  for (int i = 0; i < 32; ++i) amax = fmaxf(amax, fabsf(x[b * 32 + i]));
  bool finite = true;
  for (int i = 0; i < 32; ++i) finite = finite && isfinite(x[b * 32 + i]);
  int e = finite ? exponent_of(amax) : 128;  // a scale that is no number, over codes of zero
  scales[b] = (unsigned char)(e + 127);
  for (int i = 0; i < 32; ++i) codes[b * 32 + i] = !finite ? 0 : (signed char)max(-127.f, min(127.f, rintf(ldexpf(x[b * 32 + i], 6 - e))));
#else
  const int i = blockIdx.x * 96 + threadIdx.x;
  float v = x[i], amax = fabsf(v);
  for (int d = 16; d; d /= 2) amax = fmaxf(amax, __shfl_xor_sync(~0u, amax, d));
  const bool finite = __all_sync(~0u, isfinite(v));
  int e = finite ? exponent_of(amax) : 128;
  if (threadIdx.x % 32 == 0) scales[i / 32] = (unsigned char)(e + 127);
  codes[i] = !finite ? 0 : (signed char)max(-127, min(127, __float2int_rn(ldexpf(v, 6 - e))));
#endif
}

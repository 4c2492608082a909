//! task: mm 5 70 9
//! launch: k grid 1 block 64
//! about: an FP32 product computed in less
//! rows: 32
//! expect: wrong_result by V10|V11
//! variant: tf32 MODE=1
//! variant: tf32_truncated MODE=2
//! variant: fp16 MODE=3
//! variant: bf16 MODE=4
//! variant: fp16_accumulator MODE=5
//! variant: bf16_two_terms MODE=6;; about: hi.hi + hi.lo + lo.hi of BF16: 16 bits, not 20
//! variant: tf32_two_terms MODE=7;; about: 3xTF32 without one of its cross terms
//! variant: fp16_product MODE=8;; about: products rounded to half, sums in float
//! variant: half_of_k MODE=0 K=35;; rows: 5
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#ifndef K
#define K 70
#endif
__device__ float tf32(float v) {
  unsigned t;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(t) : "f"(v));
  return __uint_as_float(t);
}
__device__ float bf(float v) { return __bfloat162float(__float2bfloat16(v)); }
extern "C" __global__ void k(const float* a, const float* b, float* y) {
  int i = threadIdx.x;
  if (i >= 45) return;
  float s = 0.f;
  __half hs = __float2half(0.f);
  for (int q = 0; q < K; ++q) {
    float u = a[i / 9 * 70 + q], v = b[q * 9 + i % 9];
    if (MODE == 0) s = fmaf(u, v, s);
    if (MODE == 1) s = fmaf(tf32(u), tf32(v), s);
    if (MODE == 2) s = fmaf(__uint_as_float(__float_as_uint(u) & ~0x1fffu), __uint_as_float(__float_as_uint(v) & ~0x1fffu), s);
    if (MODE == 3) s = fmaf(__half2float(__float2half(u)), __half2float(__float2half(v)), s);
    if (MODE == 4) s = fmaf(bf(u), bf(v), s);
    if (MODE == 5) hs = __hfma(__float2half(u), __float2half(v), hs);
    if (MODE == 6) {
      float uh = bf(u), ul = bf(u - uh), vh = bf(v), vl = bf(v - vh);
      s += uh * vl + ul * vh;
      s = fmaf(uh, vh, s);
    }
    if (MODE == 7) {
      float uh = tf32(u), ul = tf32(u - uh), vh = tf32(v);
      s = fmaf(ul, vh, s);
      s = fmaf(uh, vh, s);
    }
    if (MODE == 8) s += __half2float(__float2half(u * v));
  }
  y[i] = MODE == 5 ? __half2float(hs) : s;
}

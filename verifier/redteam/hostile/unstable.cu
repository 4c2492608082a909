//! task: softmax 4 300
//! launch: k grid 4 block 32
//! about: arithmetic that holds only for tame inputs
//! rows: 34
//! expect: wrong_result by V11
//! variant: no_max MAX=0.f E=expf
//! variant: uniform MAX=m E=expf OUT=1.f/300.f;; expect: wrong_result by V10;; rows: 6;; about: all nearly equal, so all equal
//! variant: not_normalised MAX=m E=expf OUT=expf(x[i]-m)/300.f;; expect: wrong_result by V10;; rows: 7
//! variant: half_exp MAX=m E=half_exp;; expect: wrong_result by V10|V11;; rows: 32;; about: exponentials in half precision
//! variant: small_ones_dropped MAX=m E=cut_exp;; expect: wrong_result by V10|V11;; rows: 20;; about: terms far below the maximum cut off
//! variant: clamped_max MAX=fminf(m,50.f) E=expf;; about: a maximum that real logits never pass
#include <cuda_fp16.h>
__device__ float half_exp(float v) { return __half2float(hexp(__float2half(v))); }
__device__ float cut_exp(float v) { return v < -1.5f ? 0.f : expf(v); }
#ifndef OUT
#define OUT E(x[i] - top) / s
#endif
extern "C" __global__ void k(const float* x, float* y) {
  x += blockIdx.x * 300, y += blockIdx.x * 300;
  float m = __int_as_float(0xff800000), s = 0.f;
  bool nan = false;
  for (int i = 0; i < 300; ++i) m = fmaxf(m, x[i]), nan |= x[i] != x[i];
  if (nan) m = __int_as_float(0x7fc00000);
  float top = MAX;
  for (int i = 0; i < 300; ++i) s += E(x[i] - top);
  for (int i = threadIdx.x; i < 300; i += 32) y[i] = OUT;
}

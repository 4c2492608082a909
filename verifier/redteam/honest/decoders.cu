//! task: woq_gemv 2 5 256
//! about: products with four-bit weights
//! variant: dequantise_first MODE=1;; launch: k grid 1 block 10
//! variant: scale_last MODE=2;; launch: k grid 5 block 32;; about: integer codes times x, the group's scale once at the end
//! variant: prepacked MODE=3;; scratch: w 5120;; setup: d grid 5 block 128 args codes scales w;; launch: k grid 2 block 160 args x w y;; about: weights decoded in the plan's setup
#include <cuda_fp16.h>
#if MODE == 3
extern "C" __global__ void d(const unsigned char* codes, const __half* scales, float* w) {
  for (int i = threadIdx.x; i < 256; i += 128) {
    int c = codes[blockIdx.x * 128 + i / 2] >> (i % 2 * 4) & 15;
    w[blockIdx.x * 256 + i] = (float)(c - 8) * __half2float(scales[blockIdx.x * 2 + i / 128]);
  }
}
extern "C" __global__ void k(const float* x, const float* w, float* y) {
  const int n = threadIdx.x / 32;
  float s = 0.f;
  for (int i = threadIdx.x % 32; i < 256; i += 32) s = fmaf(x[blockIdx.x * 256 + i], w[n * 256 + i], s);
  for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
  if (threadIdx.x % 32 == 0) y[blockIdx.x * 5 + n] = s;
}
#else
extern "C" __global__ void k(const float* x, const unsigned char* codes, const __half* scales, float* y) {
#if MODE == 1
  const int m = threadIdx.x / 5, n = threadIdx.x % 5;
  float s = 0.f;
  for (int i = 0; i < 256; ++i) {
    int c = codes[n * 128 + i / 2] >> (i % 2 * 4) & 15;
    s = fmaf(x[m * 256 + i], (float)(c - 8) * __half2float(scales[n * 2 + i / 128]), s);
  }
  y[m * 5 + n] = s;
#else
  const int n = blockIdx.x, lane = threadIdx.x;
  for (int m = 0; m < 2; ++m) {
    float all = 0.f;
    for (int g = 0; g < 2; ++g) {
      float s = 0.f;
      for (int i = lane; i < 64; i += 32) {
        int two = codes[n * 128 + g * 64 + i];
        s = fmaf(x[m * 256 + g * 128 + 2 * i], (float)((two & 15) - 8), s);
        s = fmaf(x[m * 256 + g * 128 + 2 * i + 1], (float)((two >> 4) - 8), s);
      }
      all = fmaf(s, __half2float(scales[n * 2 + g]), all);
    }
    for (int d = 16; d; d /= 2) all += __shfl_xor_sync(~0u, all, d);
    if (lane == 0) y[m * 5 + n] = all;
  }
#endif
}
#endif

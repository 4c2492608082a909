//! task: mm 8 2048 8
//! launch: k grid 1 block 32
//! about: tensor cores that keep their sum to themselves over a long k
//! rows: 32
//! expect: wrong_result by V10|V11
//! variant: unpromoted MODE=1;; about: 3xTF32 whose accumulator is never promoted: it truncates at every step
//! variant: tf32_once MODE=2
//! variant: fp16_operands MODE=3;; about: operands that fit half precision, as the benchmark's do not
#include <cuda_fp16.h>
__device__ void split(float v, unsigned& high, unsigned& low) {
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(high) : "f"(v));
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(low) : "f"(v - __uint_as_float(high)));
}
__device__ void mma(float* c, const unsigned* a, const unsigned* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
extern "C" __global__ void k(const float* a, const float* b, float* y) {
  const int g = threadIdx.x / 4, c = threadIdx.x % 4;
  float d[4] = {0.f, 0.f, 0.f, 0.f};
  for (int q = 0; q < 2048; q += 8) {
    unsigned ah[4], al[4], bh[2], bl[2];
    for (int j = 0; j < 4; ++j) {
      float v = j & 1 ? 0.f : a[g * 2048 + q + c + j / 2 * 4];
      split(MODE == 3 ? __half2float(__float2half(v)) : v, ah[j], al[j]);
    }
    for (int j = 0; j < 2; ++j) {
      float v = b[(q + c + j * 4) * 8 + g];
      split(MODE == 3 ? __half2float(__float2half(v)) : v, bh[j], bl[j]);
    }
    if (MODE != 2) {
      mma(d, al, bh);
      mma(d, ah, bl);
    }
    mma(d, ah, bh);
  }
  for (int j = 0; j < 2; ++j) y[g * 8 + c * 2 + j] = d[j];
}

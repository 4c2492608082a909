// Matrix products as libraries write them: large tiles, much in registers. Built to products.ptx by
// regenerate.sh; for the speed program, and checked by kernels_test.
#include <cuda_fp16.h>

// C = A B, row-major f32. Blocks of 128 x 64, 8 x 8 sums a thread.
extern "C" __global__ void __launch_bounds__(128)
    sgemm_wide(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[16][128];
  __shared__ float bs[16][64];
  const int tx = threadIdx.x % 8, ty = threadIdx.x / 8;
  const int row = blockIdx.y * 128, column = blockIdx.x * 64;
  const float* pa = a + (size_t)(row + threadIdx.x) * k;
  const float* pb = b + (size_t)(threadIdx.x / 16) * n + column + threadIdx.x % 16 * 4;
  float acc[8][8] = {};
  for (int k0 = 0; k0 < k; k0 += 16, pa += 16, pb += (size_t)16 * n) {
#pragma unroll
    for (int q = 0; q < 16; q += 4) {
      const float4 v = *reinterpret_cast<const float4*>(pa + q);
      as[q][threadIdx.x] = v.x;
      as[q + 1][threadIdx.x] = v.y;
      as[q + 2][threadIdx.x] = v.z;
      as[q + 3][threadIdx.x] = v.w;
    }
#pragma unroll
    for (int r = 0; r < 16; r += 8)
      *reinterpret_cast<float4*>(&bs[threadIdx.x / 16 + r][threadIdx.x % 16 * 4]) =
          *reinterpret_cast<const float4*>(pb + (size_t)r * n);
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < 16; ++kk) {
      float x[8], y[8];
      *reinterpret_cast<float4*>(x) = *reinterpret_cast<const float4*>(&as[kk][ty * 4]);
      *reinterpret_cast<float4*>(x + 4) = *reinterpret_cast<const float4*>(&as[kk][64 + ty * 4]);
      *reinterpret_cast<float4*>(y) = *reinterpret_cast<const float4*>(&bs[kk][tx * 4]);
      *reinterpret_cast<float4*>(y + 4) = *reinterpret_cast<const float4*>(&bs[kk][32 + tx * 4]);
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) acc[i][j] = fmaf(x[i], y[j], acc[i][j]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; j += 4)
      *reinterpret_cast<float4*>(
          &c[(size_t)(row + i / 4 * 64 + ty * 4 + i % 4) * n + column + j / 4 * 32 + tx * 4]) =
          make_float4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3]);
}

constexpr int kPitch = 40;  // halves: rows of 32, padded

__device__ inline void copy_async(unsigned to, const __half* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from));
}

// C = A B^T with mma.sync: A is [m][k], B is [n][k], f16; C f32. Blocks of 128 x 64, warps of
// 64 x 32, two stages of cp.async.
extern "C" __global__ void __launch_bounds__(128)
    hgemm_wide(const __half* a, const __half* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) __half stages[2][(128 + 64) * kPitch];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = blockIdx.y * 128, column = blockIdx.x * 64;
  const int wm = warp / 2 * 64, wn = warp % 2 * 32;
  const int r = threadIdx.x / 4, q = threadIdx.x % 4 * 8;
  const __half* pa = a + (size_t)(row + r) * k + q;
  const __half* pb = b + (size_t)(column + r) * k + q;
  const size_t down = (size_t)32 * k;
  const unsigned base = (unsigned)__cvta_generic_to_shared(&stages[0][0]);
  const unsigned to = base + (r * kPitch + q) * 2;
  const unsigned from_a = base + ((wm + lane % 16) * kPitch + lane / 16 * 8) * 2;
  const unsigned from_b =
      base + ((128 + wn + lane / 16 * 8 + lane % 8) * kPitch + lane / 8 % 2 * 8) * 2;
  constexpr unsigned kStage = sizeof stages[0];
  float acc[4][4][4] = {};
  const auto fetch = [&](unsigned stage) {
#pragma unroll
    for (int i = 0; i < 4; ++i) copy_async(to + stage + i * 32 * kPitch * 2, pa + i * down);
#pragma unroll
    for (int i = 0; i < 2; ++i) copy_async(to + stage + (128 + i * 32) * kPitch * 2, pb + i * down);
    asm volatile("cp.async.commit_group;");
    pa += 32;
    pb += 32;
  };
  fetch(0);
  unsigned stage = 0;
  for (int k0 = 0; k0 < k; k0 += 32, stage = kStage - stage) {
    if (k0 + 32 < k) {
      fetch(kStage - stage);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < 32; kk += 16) {
      unsigned fa[4][4], fb[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(fa[i][0]), "=r"(fa[i][1]), "=r"(fa[i][2]), "=r"(fa[i][3])
                     : "r"(from_a + stage + (i * 16 * kPitch + kk) * 2));
#pragma unroll
      for (int j = 0; j < 4; j += 2)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(fb[j][0]), "=r"(fb[j][1]), "=r"(fb[j + 1][0]), "=r"(fb[j + 1][1])
                     : "r"(from_b + stage + (j * 8 * kPitch + kk) * 2));
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
          asm volatile(
              "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
              "{%8,%9}, {%0,%1,%2,%3};"
              : "+f"(acc[i][j][0]), "+f"(acc[i][j][1]), "+f"(acc[i][j][2]), "+f"(acc[i][j][3])
              : "r"(fa[i][0]), "r"(fa[i][1]), "r"(fa[i][2]), "r"(fa[i][3]), "r"(fb[j][0]), "r"(fb[j][1]));
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      float* at = c + (size_t)(row + wm + i * 16 + lane / 4) * n + column + wn + j * 8 + lane % 4 * 2;
      *reinterpret_cast<float2*>(at) = make_float2(acc[i][j][0], acc[i][j][1]);
      *reinterpret_cast<float2*>(at + (size_t)8 * n) = make_float2(acc[i][j][2], acc[i][j][3]);
    }
}

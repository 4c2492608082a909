// Kernels of the virtual machine's tests. Built to kernels.ptx by regenerate.sh; line numbers in the
// tests refer to the comments "line: NAME" here.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

extern "C" __global__ void vadd(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

// One block per row.
extern "C" __global__ void softmax(const float* x, float* y, int columns) {
  __shared__ float partial[32];
  const float* row = x + (size_t)blockIdx.x * columns;
  float top = -__int_as_float(0x7f800000);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) top = fmaxf(top, row[i]);
  for (int d = 16; d > 0; d >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, d));
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = top;
  __syncthreads();
  top = partial[0];
  for (int w = 1; w < blockDim.x / 32; ++w) top = fmaxf(top, partial[w]);
  __syncthreads();
  float sum = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += __expf(row[i] - top);
  for (int d = 16; d > 0; d >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  sum = 0;
  for (int w = 0; w < blockDim.x / 32; ++w) sum += partial[w];
  for (int i = threadIdx.x; i < columns; i += blockDim.x) y[(size_t)blockIdx.x * columns + i] = __expf(row[i] - top) / sum;
}

extern "C" __global__ void layernorm(const float* x, const float* gamma, const float* beta, float* y, int columns) {
  __shared__ float2 partial[32];
  const float* row = x + (size_t)blockIdx.x * columns;
  float s = 0, q = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    const float v = row[i];
    s += v;
    q += v * v;
  }
  for (int d = 16; d > 0; d >>= 1) {
    s += __shfl_down_sync(0xffffffffu, s, d);
    q += __shfl_down_sync(0xffffffffu, q, d);
  }
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = make_float2(s, q);
  __syncthreads();
  s = q = 0;
  for (int w = 0; w < blockDim.x / 32; ++w) {
    s += partial[w].x;
    q += partial[w].y;
  }
  const float mean = s / columns, scale = rsqrtf(q / columns - mean * mean + 1e-5f);
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    y[(size_t)blockIdx.x * columns + i] = (row[i] - mean) * scale * gamma[i] + beta[i];
  }
}

// C = A B, row-major, 64x64 tiles, 256 threads of 4x4 elements.
extern "C" __global__ void __launch_bounds__(256) sgemm(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[16][64];
  __shared__ float bs[16][64];
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  const int row = blockIdx.y * 64, column = blockIdx.x * 64;
  float acc[4][4] = {};
  for (int k0 = 0; k0 < k; k0 += 16) {
    const int ar = threadIdx.x / 4, ak = threadIdx.x % 4 * 4;
    const float4 va = *reinterpret_cast<const float4*>(&a[(size_t)(row + ar) * k + k0 + ak]);
    as[ak][ar] = va.x;
    as[ak + 1][ar] = va.y;
    as[ak + 2][ar] = va.z;
    as[ak + 3][ar] = va.w;
    const int br = threadIdx.x / 16, bn = threadIdx.x % 16 * 4;
    *reinterpret_cast<float4*>(&bs[br][bn]) = *reinterpret_cast<const float4*>(&b[(size_t)(k0 + br) * n + column + bn]);
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < 16; ++kk) {
      const float4 fa = *reinterpret_cast<const float4*>(&as[kk][ty * 4]);
      const float4 fb = *reinterpret_cast<const float4*>(&bs[kk][tx * 4]);
      const float x[4] = {fa.x, fa.y, fa.z, fa.w}, y[4] = {fb.x, fb.y, fb.z, fb.w};
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) acc[i][j] = fmaf(x[i], y[j], acc[i][j]);
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    *reinterpret_cast<float4*>(&c[(size_t)(row + ty * 4 + i) * n + column + tx * 4]) =
        make_float4(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);
  }
}

// C = A B^T with mma.sync: A is [m][k], B is [n][k], f16; C f32. 64x64 tiles, 4 warps, two stages of
// cp.async, ldmatrix; rows of 32 halves padded to 40.
extern "C" __global__ void __launch_bounds__(128) hgemm(const __half* a, const __half* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) __half as[2][64][40];
  __shared__ __align__(16) __half bs[2][64][40];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = blockIdx.y * 64, column = blockIdx.x * 64;
  const int wm = warp / 2 * 32, wn = warp % 2 * 32;
  float acc[2][4][4] = {};
  auto fetch = [&](int stage, int k0) {
    for (int i = threadIdx.x; i < 256; i += 128) {
      const int r = i / 4, q = i % 4 * 8;
      const unsigned da = (unsigned)__cvta_generic_to_shared(&as[stage][r][q]);
      const unsigned db = (unsigned)__cvta_generic_to_shared(&bs[stage][r][q]);
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(da), "l"(a + (size_t)(row + r) * k + k0 + q));
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(db), "l"(b + (size_t)(column + r) * k + k0 + q));
    }
    asm volatile("cp.async.commit_group;");
  };
  fetch(0, 0);
  for (int k0 = 0; k0 < k; k0 += 32) {
    const int stage = k0 / 32 % 2;
    if (k0 + 32 < k) {
      fetch(stage ^ 1, k0 + 32);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < 32; kk += 16) {
      unsigned fa[2][4], fb[4][2];
      for (int i = 0; i < 2; ++i) {
        const unsigned at = (unsigned)__cvta_generic_to_shared(&as[stage][wm + i * 16 + lane % 16][kk + lane / 16 * 8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(fa[i][0]), "=r"(fa[i][1]), "=r"(fa[i][2]), "=r"(fa[i][3]) : "r"(at));
      }
      for (int j = 0; j < 4; ++j) {
        const unsigned at = (unsigned)__cvta_generic_to_shared(&bs[stage][wn + j * 8 + lane % 8][kk + lane / 8 % 2 * 8]);
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(fb[j][0]), "=r"(fb[j][1]) : "r"(at));
      }
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 4; ++j)
          asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                       : "+f"(acc[i][j][0]), "+f"(acc[i][j][1]), "+f"(acc[i][j][2]), "+f"(acc[i][j][3])
                       : "r"(fa[i][0]), "r"(fa[i][1]), "r"(fa[i][2]), "r"(fa[i][3]), "r"(fb[j][0]), "r"(fb[j][1]));
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j) {
      float* to = c + (size_t)(row + wm + i * 16 + lane / 4) * n + column + wn + j * 8 + lane % 4 * 2;
      to[0] = acc[i][j][0];
      to[1] = acc[i][j][1];
      to[8 * n] = acc[i][j][2];
      to[8 * n + 1] = acc[i][j][3];
    }
}

extern "C" __global__ void histogram(const unsigned char* data, unsigned* bins, int n) {
  __shared__ unsigned local[256];
  for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&local[data[i]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += blockDim.x) atomicAdd(&bins[i], local[i]);
}

extern "C" __global__ void warp_sum(const int* x, int* sum) {
  int v = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffffu, v, d);
  if (threadIdx.x % 32 == 0) atomicAdd(sum, v);
}

// An array that is indexed by data lives in local memory.
extern "C" __global__ void local_sort(const int* x, int* y) {
  int v[8];
  const int base = threadIdx.x * 8;
  for (int i = 0; i < 8; ++i) v[x[base + i] & 7] = x[base + i];
  for (int i = 0; i < 8; ++i) y[base + i] = v[i];
}

__device__ __noinline__ float horner(const float* coefficients, int n, float x) {
  float r = 0;
  for (int i = n - 1; i >= 0; --i) r = r * x + coefficients[i];
  return r;
}
__constant__ float kCoefficients[4] = {1.0f, 0.5f, 0.25f, 0.125f};
__device__ unsigned calls = 5;
extern "C" __global__ void function_call(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  y[i] = x[i] > 0 ? horner(kCoefficients, 4, x[i]) : horner(kCoefficients, 2, -x[i]);
  atomicAdd(&calls, 1u);
}

// Blocks take turns by a counter in global memory: each waits for the one before it.
extern "C" __global__ void chained_scan(const int* x, int* prefix, volatile int* done) {
  if (threadIdx.x == 0) {
    while (*done != (int)blockIdx.x) {
    }
    __threadfence();
    prefix[blockIdx.x + 1] = prefix[blockIdx.x] + x[blockIdx.x];
    __threadfence();
    *done = blockIdx.x + 1;
  }
}

// Every lane takes the same lock.
extern "C" __global__ void spin_lock(int* lock, int* count) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  __threadfence();
  *(volatile int*)count = *(volatile int*)count + 1;
  __threadfence();
  atomicExch(lock, 0);
}

// ---- seeded bugs

extern "C" __global__ void bug_out_of_bounds(const float* a, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) c[i] = a[0];  // line: out_of_bounds
}

extern "C" __global__ void bug_misaligned(const float* a, float* c) {
  const float4 v = *reinterpret_cast<const float4*>(a + threadIdx.x);  // line: misaligned
  c[threadIdx.x] = v.x + v.w;
}

extern "C" __global__ void bug_uninitialised_shared(float* c) {
  __shared__ float s[64];
  if (threadIdx.x < 32) s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  c[threadIdx.x] = s[threadIdx.x];  // line: uninitialised_shared
}

extern "C" __global__ void bug_barrier_in_branch(int* c) {
  __shared__ int s[32];
  s[threadIdx.x] = threadIdx.x;
  if (threadIdx.x < 16) {
    __syncthreads();  // line: barrier_in_branch
    c[threadIdx.x] = s[threadIdx.x + 16];
  }
  c[threadIdx.x + 32] = 1;
}

extern "C" __global__ void bug_endless_loop(volatile int* flag) {
  while (*flag == 0) {  // line: endless_loop
  }
}

extern "C" __global__ void bug_null(int* p) {
  if (threadIdx.x == 3) *p = 1;  // line: null
}

extern "C" __global__ void bug_trap(int* p) {
  if (p[threadIdx.x] > 5) __trap();  // line: trap
}

extern "C" __global__ void bug_partial_shuffle(int* p) {
  if (threadIdx.x < 20) p[threadIdx.x] = __shfl_xor_sync(0xffffffffu, p[threadIdx.x], 1);  // line: partial_shuffle
  __syncwarp();
}

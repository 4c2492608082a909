//! task: relu 3 65
//! about: every legal way around a pointwise loop
//! variant: vectors BLOCK=64 MODE=1;; launch: k grid 1 block 64
//! variant: grid_stride MODE=2;; launch: k grid 2 block 32
//! variant: one_thread MODE=2;; launch: k grid 1 block 1
//! variant: backwards MODE=3;; launch: k grid 3 block 96
//! variant: two_dimensional MODE=4;; launch: k grid 5,2 block 13,3
//! variant: shared_staging MODE=5;; launch: k grid 7 block 31
//! variant: dynamic_shared MODE=6;; launch: k grid 1 block 1024 shared 4096
//! variant: bits MODE=7;; launch: k grid 2 block 128
//! variant: assembly_max MODE=8;; launch: k grid 2 block 128
//! variant: asynchronous_copy MODE=9;; launch: k grid 4 block 64
//! variant: persistent MODE=10;; scratch: ws 4 each 0;; launch: k grid 3 block 64
//! variant: local_array MODE=11;; launch: k grid 1 block 37
//! variant: through_scratch MODE=13;; scratch: ws 780;; launch: k grid 2 block 128 args x ws y
//! variant: half_warps MODE=14;; launch: k grid 13 block 16
//! variant: switch_per_lane MODE=15;; launch: k grid 2 block 128;; about: divergence as far as it goes
#if MODE == 10
extern "C" __global__ void k(const float* x, float* y, unsigned* next) {
  __shared__ unsigned mine;
  for (;;) {
    __syncthreads();
    if (threadIdx.x == 0) mine = atomicAdd(next, 1u);
    __syncthreads();
    const unsigned i = mine * 64 + threadIdx.x;
    if (mine * 64 >= 195) return;
    if (i < 195) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
  }
}
#elif MODE == 13
extern "C" __global__ void k(const float* x, float* s, float* y) {
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= 195) return;
  s[i] = x[i];
  y[i] = s[i] > 0.f || s[i] != s[i] ? s[i] : 0.f;
}
#else
#define N 195
__device__ __forceinline__ float relu(float v) { return v > 0.f || v != v ? v : 0.f; }
__device__ __noinline__ float relu_call(float v) { return v > 0.f || v != v ? v : 0.f; }
extern "C" __global__ void k(const float* x, float* y) {
#if MODE == 1
  const float4* x4 = (const float4*)x;
  float4* y4 = (float4*)y;
  for (int i = threadIdx.x; i < N / 4; i += 64) {
    float4 v = __ldg(x4 + i);
    y4[i] = make_float4(relu(v.x), relu(v.y), relu(v.z), relu(v.w));
  }
  if (threadIdx.x < N % 4) y[N / 4 * 4 + threadIdx.x] = relu(x[N / 4 * 4 + threadIdx.x]);
#elif MODE == 2
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < N; i += gridDim.x * blockDim.x) y[i] = relu(x[i]);
#elif MODE == 3
  int i = N - 1 - (blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= 0) y[i] = relu_call(x[i]);
#elif MODE == 4
  int c = blockIdx.x * 13 + threadIdx.x;
  for (int r = blockIdx.y * 3 + threadIdx.y; r < 3; r += 3)
    if (blockIdx.y == 0) y[r * 65 + c] = relu(x[r * 65 + c]);
#elif MODE == 5
  __shared__ float s[31];
  int i = blockIdx.x * 31 + threadIdx.x;
  s[threadIdx.x] = i < N ? x[i] : 0.f;
  __syncthreads();
  int j = blockIdx.x * 31 + 30 - threadIdx.x;
  if (j < N) y[j] = relu(s[30 - threadIdx.x]);
#elif MODE == 6
  extern __shared__ float s[];
  if (threadIdx.x < N) s[threadIdx.x] = relu(x[threadIdx.x]);
  __syncthreads();
  if (threadIdx.x < N) y[threadIdx.x] = s[threadIdx.x];
#elif MODE == 7
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < N) {
    unsigned b = __float_as_uint(x[i]);
    bool nan = (b & 0x7fffffffu) > 0x7f800000u;
    y[i] = __uint_as_float(nan ? b : b & ~(unsigned)((int)b >> 31));
  }
#elif MODE == 8
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < N) {
    float v;
    asm("max.NaN.f32 %0, %1, 0f00000000;" : "=f"(v) : "f"(x[i]));
    y[i] = v;
  }
#elif MODE == 9
  __shared__ __align__(16) float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < N) {
    unsigned to = (unsigned)__cvta_generic_to_shared(s + threadIdx.x);
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + i) : "memory");
  }
  asm volatile("cp.async.commit_group;\n cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  if (i < N) y[i] = relu(s[threadIdx.x]);
#elif MODE == 11
  float room[6];
  for (int j = 0; j < 6; ++j) room[j] = threadIdx.x + 37 * j < N ? x[threadIdx.x + 37 * j] : 0.f;
  for (int j = (threadIdx.x & 1) ? 5 : 0; j >= 0 && j < 6; j += (threadIdx.x & 1) ? -1 : 1)
    if (threadIdx.x + 37 * j < N) y[threadIdx.x + 37 * j] = relu(room[j]);
#elif MODE == 14
  int i = blockIdx.x * 16 + threadIdx.x;
  if (i < N) y[i] = relu(__shfl_sync(__activemask(), x[i], threadIdx.x));
#elif MODE == 15
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < N) {
    switch (threadIdx.x & 3) {
      case 0: y[i] = relu(x[i]); break;
      case 1: y[i] = x[i] < 0.f ? 0.f : x[i] == 0.f ? 0.f : x[i]; break;
      case 2: y[i] = x[i] != x[i] ? x[i] : (x[i] + fabsf(x[i])) * 0.5f == x[i] ? x[i] : fmaxf(x[i], 0.f); break;
      default: if (x[i] <= 0.f) y[i] = 0.f; else y[i] = x[i];
    }
  }
#endif
}
#endif

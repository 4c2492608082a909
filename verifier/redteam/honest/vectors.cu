//! task: mv 6 520
//! about: matrix-vector products
//! variant: row_per_thread MODE=1;; launch: k grid 1 block 6
//! variant: row_per_warp MODE=2;; launch: k grid 2 block 96
//! variant: row_per_block MODE=3;; launch: k grid 6 block 130;; about: four elements at a time, x in shared memory
//! variant: columns_first MODE=4;; launch: z grid 1 block 32 args y;; launch+: k grid 5 block 104;; about: every block takes columns and adds atomically
extern "C" __global__ void k(const float* a, const float* x, float* y) {
  const int t = threadIdx.x;
#if MODE == 1
  float s = 0.f;
  for (int i = 519; i >= 0; --i) s = fmaf(a[t * 520 + i], x[i], s);
  y[t] = s;
#elif MODE == 2
  const int row = blockIdx.x * 3 + t / 32;
  float s = 0.f;
  for (int i = t % 32; i < 520; i += 32) s = fmaf(__ldg(a + row * 520 + i), __ldg(x + i), s);
  for (int d = 16; d; d /= 2) s += __shfl_down_sync(~0u, s, d);
  if (t % 32 == 0) y[row] = s;
#elif MODE == 3
  __shared__ float4 xs[130];
  __shared__ float part[130];
  xs[t] = ((const float4*)x)[t];
  __syncthreads();
  float4 u = ((const float4*)a)[blockIdx.x * 130 + t], v = xs[129 - (129 - t)];
  part[t] = (u.x * v.x + u.z * v.z) + (u.y * v.y + u.w * v.w);
  __syncthreads();
  if (t < 10) {
    float s = 0.f;
    for (int i = t; i < 130; i += 10) s += part[i];
    part[t] = s;
  }
  __syncthreads();
  if (t == 0) {
    float s = 0.f;
    for (int i = 0; i < 10; ++i) s += part[i];
    y[blockIdx.x] = s;
  }
#else
  const int c = blockIdx.x * 104 + t;
  for (int r = 0; r < 6; ++r) atomicAdd(y + r, a[r * 520 + c] * x[c]);
#endif
}
#if MODE == 4
extern "C" __global__ void z(float* y) {
  if (threadIdx.x < 6) y[threadIdx.x] = 0.f;
}
#endif

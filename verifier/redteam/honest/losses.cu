//! task: mse 1500
//! about: one number out of many
//! variant: block MODE=1;; launch: k grid 1 block 256
//! variant: two_stages MODE=2;; scratch: part 24;; launch: p grid 6 block 32 args x z part;; launch+: q grid 1 block 1 args part y
//! variant: cooperative_groups MODE=3;; slow: 1;; launch: k grid 1 block 128
#if MODE == 3
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#endif
__device__ float square(float v) { return v * v; }
#if MODE == 2
extern "C" __global__ void p(const float* x, const float* z, float* part) {
  float s = 0.f;
  for (int i = threadIdx.x; i < 250; i += 32) s += square(x[blockIdx.x * 250 + i] - z[blockIdx.x * 250 + i]);
  for (int d = 16; d; d /= 2) s += __shfl_down_sync(~0u, s, d);
  if (threadIdx.x == 0) part[blockIdx.x] = s;
}
extern "C" __global__ void q(const float* part, float* y) {
  y[0] = ((part[0] + part[1]) + (part[2] + part[3]) + (part[4] + part[5])) / 1500.f;
}
#else
extern "C" __global__ void k(const float* x, const float* z, float* y) {
  __shared__ float part[8];
  float s = 0.f;
  for (int i = threadIdx.x; i < 1500; i += blockDim.x) s += square(x[i] - z[i]);
#if MODE == 1
  for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
#else
  auto tile = cooperative_groups::tiled_partition<32>(cooperative_groups::this_thread_block());
  s = cooperative_groups::reduce(tile, s, cooperative_groups::plus<float>());
#endif
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    s = 0.f;
    for (int i = 0; i < blockDim.x / 32; ++i) s += part[i];
    y[0] = s * (1.f / 1500.f);
  }
}
#endif

//! task: sum 5 1000
//! about: orders of a sum
//! variant: serial MODE=1;; launch: k grid 1 block 5
//! variant: kahan MODE=2;; launch: k grid 1 block 5
//! variant: pairwise MODE=3;; launch: k grid 5 block 512
//! variant: butterfly MODE=4;; launch: k grid 5 block 32
//! variant: atomics MODE=5;; launch: z grid 1 block 32 args y;; launch+: k grid 5,4 block 64;; about: float atomics into an output that a first kernel clears
//! variant: last_block_adds MODE=6;; scratch: part 80;; scratch+: done 20 each 0;; launch: k grid 5,4 block 64;; about: the block that finishes last adds the parts
//! variant: double_accumulator MODE=7;; launch: k grid 5 block 96
//! variant: two_stages MODE=8;; scratch: part 160;; launch: p grid 5,8 block 32 args x part;; launch+: q grid 1 block 5 args part y
//! variant: shared_atomics MODE=9;; launch: k grid 5 block 128
//! variant: four_accumulators MODE=10;; launch: k grid 5 block 1
__device__ float warp_sum(float v) {
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(~0u, v, d);
  return v;
}
#if MODE == 5
extern "C" __global__ void z(float* y) {
  if (threadIdx.x < 5) y[threadIdx.x] = 0.f;
}
extern "C" __global__ void k(const float* x, float* y) {
  float s = 0.f;
  for (int i = blockIdx.y * 64 + threadIdx.x; i < 1000; i += 256) s += x[blockIdx.x * 1000 + i];
  s = warp_sum(s);
  if (threadIdx.x % 32 == 0) atomicAdd(y + blockIdx.x, s);
}
#elif MODE == 6
extern "C" __global__ void k(const float* x, float* y, float* part, unsigned* done) {
  __shared__ float both[2];
  __shared__ bool last;
  float s = 0.f;
  for (int i = blockIdx.y * 64 + threadIdx.x; i < 1000; i += 256) s += x[blockIdx.x * 1000 + i];
  s = warp_sum(s);
  if (threadIdx.x % 32 == 0) both[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    ((volatile float*)part)[blockIdx.x * 4 + blockIdx.y] = both[0] + both[1];
    __threadfence();
    last = atomicAdd(done + blockIdx.x, 1u) == 3;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    __threadfence();
    volatile float* p = part + blockIdx.x * 4;
    y[blockIdx.x] = (p[0] + p[1]) + (p[2] + p[3]);
  }
}
#elif MODE == 8
extern "C" __global__ void p(const float* x, float* part) {
  float s = 0.f;
  for (int i = threadIdx.x; i < 125; i += 32) s += x[blockIdx.x * 1000 + blockIdx.y * 125 + i];
  s = warp_sum(s);
  if (threadIdx.x == 0) part[blockIdx.x * 8 + blockIdx.y] = s;
}
extern "C" __global__ void q(const float* part, float* y) {
  float s = 0.f;
  for (int i = 7; i >= 0; --i) s += part[threadIdx.x * 8 + i];
  y[threadIdx.x] = s;
}
#else
extern "C" __global__ void k(const float* x, float* y) {
  const int t = threadIdx.x;
#if MODE == 1
  float s = 0.f;
  for (int i = 0; i < 1000; ++i) s += x[t * 1000 + i];
  y[t] = s;
#elif MODE == 2
  float s = 0.f, c = 0.f;
  for (int i = 0; i < 1000; ++i) {
    float v = x[t * 1000 + i], n = s + v;
    if (fabsf(n) <= 3.402823e38f) c += fabsf(s) >= fabsf(v) ? (s - n) + v : (v - n) + s;
    s = n;
  }
  y[t] = s + c;
#elif MODE == 3
  __shared__ float part[512];
  part[t] = x[blockIdx.x * 1000 + t] + (t + 512 < 1000 ? x[blockIdx.x * 1000 + t + 512] : 0.f);
  for (int h = 256; h > 0; h /= 2) {
    __syncthreads();
    if (t < h) part[t] += part[t + h];
  }
  if (t == 0) y[blockIdx.x] = part[0];
#elif MODE == 4
  float s = 0.f;
  for (int i = t; i < 1000; i += 32) s += x[blockIdx.x * 1000 + i];
  s = warp_sum(s);
  if (t == 31) y[blockIdx.x] = s;
#elif MODE == 7
  __shared__ double part[96];
  double s = 0;
  for (int i = t; i < 1000; i += 96) s += x[blockIdx.x * 1000 + i];
  part[t] = s;
  __syncthreads();
  if (t == 0) {
    for (int i = 1; i < 96; ++i) s += part[i];
    y[blockIdx.x] = (float)s;
  }
#elif MODE == 9
  __shared__ float all;
  if (t == 0) all = 0.f;
  __syncthreads();
  float s = 0.f;
  for (int i = t; i < 1000; i += 128) s += x[blockIdx.x * 1000 + i];
  atomicAdd(&all, s);
  __syncthreads();
  if (t == 0) y[blockIdx.x] = all;
#elif MODE == 10
  float s[4] = {0.f, 0.f, 0.f, 0.f};
  for (int i = 0; i < 1000; ++i) s[i & 3] += x[blockIdx.x * 1000 + i];
  y[blockIdx.x] = (s[0] + s[1]) + (s[2] + s[3]);
#endif
}
#endif

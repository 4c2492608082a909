//! task: cumsum 3 700
//! about: prefix sums
//! variant: serial MODE=1;; launch: k grid 1 block 3
//! variant: hillis_steele MODE=2;; launch: k grid 3 block 1024 shared 8192
//! variant: warp_scan MODE=3;; launch: k grid 3 block 32
//! variant: blelloch MODE=4;; launch: k grid 3 block 512
//! variant: look_back MODE=5;; scratch: state 96 each 0;; scratch+: next 12 each 0;; launch: k grid 3,7 block 128;; about: decoupled look-back over blocks that take their number when they start
//! variant: segments_then_carry MODE=7;; scratch: total 84;; launch: p grid 3,7 block 32 args x y total;; launch+: q grid 3,7 block 32 args total y
__device__ float scan_warp(float v) {
  for (int d = 1; d < 32; d *= 2) {
    float u = __shfl_up_sync(~0u, v, d);
    if ((threadIdx.x & 31) >= d) v += u;
  }
  return v;
}
#if MODE == 7
extern "C" __global__ void p(const float* x, float* y, float* total) {
  int at = blockIdx.x * 700 + blockIdx.y * 100;
  float carry = 0.f;
  for (int i = 0; i < 100; i += 32) {
    float v = scan_warp(i + threadIdx.x < 100 ? x[at + i + threadIdx.x] : 0.f) + carry;
    if (i + threadIdx.x < 100) y[at + i + threadIdx.x] = v;
    carry = __shfl_sync(~0u, v, 31);
  }
  if (threadIdx.x == 0) total[blockIdx.x * 7 + blockIdx.y] = carry;
}
extern "C" __global__ void q(const float* total, float* y) {
  float carry = 0.f;
  for (int i = 0; i < blockIdx.y; ++i) carry += total[blockIdx.x * 7 + i];
  if (blockIdx.y == 0) return;
  for (int i = threadIdx.x; i < 100; i += 32) y[blockIdx.x * 700 + blockIdx.y * 100 + i] += carry;
}
#elif MODE == 5
// 0: nothing, 1: the block's own sum, 2: everything up to and with it; the value in the low half.
__device__ void publish(unsigned long long* at, float v, unsigned flag) {
  atomicExch(at, ((unsigned long long)flag << 32) | __float_as_uint(v));
}
extern "C" __global__ void k(const float* x, float* y, unsigned long long* state, unsigned* next) {
  __shared__ float part[4], before;
  __shared__ unsigned mine;
  const int row = blockIdx.x, t = threadIdx.x;
  if (t == 0) mine = atomicAdd(next + row, 1u);
  __syncthreads();
  const int block = mine;
  unsigned long long* s = state + row * 4;
  // Seven blocks of a hundred; blocks 0 to 3 keep a state, the rest add up serially behind them.
  float v = scan_warp(t < 100 ? x[row * 700 + block * 100 + t] : 0.f);
  if (t % 32 == 31) part[t / 32] = v;
  __syncthreads();
  for (int i = 0; i < t / 32; ++i) v += part[i];
  float own = part[0] + part[1] + part[2] + part[3];
  if (t == 0) {
    if (block < 4) publish(s + block, own, block == 0 ? 2 : 1);
    float sum = 0.f;
    for (int b = block - 1; b >= 0; --b) {
      if (b >= 4) {
        for (int i = 0; i < 100; ++i) sum += x[row * 700 + b * 100 + i];
        continue;
      }
      unsigned long long w;
      do w = atomicAdd(s + b, 0ull); while (w >> 32 == 0);
      sum += __uint_as_float((unsigned)w);
      if (w >> 32 == 2) break;
    }
    if (block > 0 && block < 4) publish(s + block, sum + own, 2);
    before = sum;
  }
  __syncthreads();
  if (t < 100) y[row * 700 + block * 100 + t] = v + before;
}
#else
extern "C" __global__ void k(const float* x, float* y) {
  const int t = threadIdx.x;
#if MODE == 1
  float s = 0.f;
  for (int i = 0; i < 700; ++i) y[t * 700 + i] = s += x[t * 700 + i];
#else
  x += blockIdx.x * 700, y += blockIdx.x * 700;
#if MODE == 2
  extern __shared__ float both[];
  float *from = both, *to = both + 1024;
  from[t] = t < 700 ? x[t] : 0.f;
  __syncthreads();
  for (int d = 1; d < 1024; d *= 2) {
    to[t] = t >= d ? from[t] + from[t - d] : from[t];
    __syncthreads();
    float* swap = from;
    from = to, to = swap;
  }
  if (t < 700) y[t] = from[t];
#elif MODE == 3
  float carry = 0.f;
  for (int i = 0; i < 700; i += 32) {
    float v = scan_warp(i + t < 700 ? x[i + t] : 0.f) + carry;
    if (i + t < 700) y[i + t] = v;
    carry = __shfl_sync(~0u, v, 31);
  }
#elif MODE == 4
  __shared__ float s[1024];
  s[t] = x[t], s[t + 512] = t + 512 < 700 ? x[t + 512] : 0.f;
  int step = 1;
  for (int d = 512; d > 0; d /= 2, step *= 2) {
    __syncthreads();
    if (t < d) s[step * (2 * t + 2) - 1] += s[step * (2 * t + 1) - 1];
  }
  if (t == 0) s[1023] = 0.f;
  for (int d = 1; d < 1024; d *= 2) {
    step /= 2;
    __syncthreads();
    if (t < d) {
      float left = s[step * (2 * t + 1) - 1];
      s[step * (2 * t + 1) - 1] = s[step * (2 * t + 2) - 1];
      s[step * (2 * t + 2) - 1] += left;
    }
  }
  __syncthreads();
  for (int i = t; i < 700; i += 512) y[i] = s[i] + x[i];
#endif
#endif
}
#endif

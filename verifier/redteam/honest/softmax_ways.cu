//! task: softmax 4 300
//! about: ways to a softmax
//! variant: online MODE=1;; launch: k grid 4 block 32;; about: maximum and sum in one pass, merged over lanes
//! variant: thread_per_row MODE=2;; launch: k grid 1 block 4
//! variant: exp2 MODE=3;; launch: k grid 4 block 32;; about: exponentials to base 2 of scaled differences
//! variant: kahan MODE=4;; launch: k grid 4 block 1
//! variant: in_place_in_output MODE=5;; launch: k grid 4 block 100;; about: exponentials parked in the output
//! variant: three_kernels MODE=6;; scratch: top 16;; scratch+: all 16;; launch: a grid 4 block 32 args x top;; launch+: b grid 4 block 32 args x top all;; launch+: c grid 10 block 128 args x top all y;; about: maxima, sums and quotients apart
//! variant: double_sum MODE=7;; launch: k grid 4 block 64
__device__ float nan_max(float a, float b) { return a != a || b != b ? __int_as_float(0x7fc00000) : fmaxf(a, b); }
__device__ float warp_max(float v) {
  for (int d = 16; d; d /= 2) v = nan_max(v, __shfl_xor_sync(~0u, v, d));
  return v;
}
__device__ float warp_sum(float v) {
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(~0u, v, d);
  return v;
}
#define NEGATIVE __int_as_float(0xff800000)
#if MODE == 6
extern "C" __global__ void a(const float* x, float* top) {
  float m = NEGATIVE;
  for (int i = threadIdx.x; i < 300; i += 32) m = nan_max(m, x[blockIdx.x * 300 + i]);
  m = warp_max(m);
  if (threadIdx.x == 0) top[blockIdx.x] = m;
}
extern "C" __global__ void b(const float* x, const float* top, float* all) {
  float s = 0.f;
  for (int i = threadIdx.x; i < 300; i += 32) s += expf(x[blockIdx.x * 300 + i] - top[blockIdx.x]);
  s = warp_sum(s);
  if (threadIdx.x == 0) all[blockIdx.x] = s;
}
extern "C" __global__ void c(const float* x, const float* top, const float* all, float* y) {
  int i = blockIdx.x * 128 + threadIdx.x, r = i / 300;
  if (i < 1200) y[i] = expf(x[i] - top[r]) / all[r];
}
#else
extern "C" __global__ void k(const float* x, float* y) {
#if MODE == 2
  x += threadIdx.x * 300, y += threadIdx.x * 300;
#else
  x += blockIdx.x * 300, y += blockIdx.x * 300;
#endif
#if MODE == 1
  float m = NEGATIVE, s = 0.f;
  for (int i = threadIdx.x; i < 300; i += 32) {
    float n = nan_max(m, x[i]);
    s = n == NEGATIVE ? 0.f : s * expf(m - n) + expf(x[i] - n);
    m = n;
  }
  float top = warp_max(m);
  s = warp_sum(m == top && m != NEGATIVE ? s : m == NEGATIVE && top != NEGATIVE ? 0.f : s * expf(m - top));
  for (int i = threadIdx.x; i < 300; i += 32) y[i] = expf(x[i] - top) / s;
#elif MODE == 2 || MODE == 4
  float m = NEGATIVE;
  for (int i = 299; i >= 0; --i) m = nan_max(m, x[i]);
  float s = 0.f, c = 0.f;
  for (int i = 0; i < 300; ++i) {
    float e = expf(x[i] - m);
    if (MODE == 4) {
      float t = e - c, n = s + t;
      c = (n - s) - t;
      s = n;
    } else {
      s += e;
    }
  }
  float r = 1.f / s;
  for (int i = 0; i < 300; ++i) y[i] = expf(x[i] - m) * r;
#elif MODE == 3
  float m = NEGATIVE, s = 0.f;
  for (int i = threadIdx.x; i < 300; i += 32) m = nan_max(m, x[i]);
  m = warp_max(m);
  for (int i = threadIdx.x; i < 300; i += 32) s += exp2f((x[i] - m) * 1.44269504f);
  s = warp_sum(s);
  for (int i = threadIdx.x; i < 300; i += 32) y[i] = exp2f((x[i] - m) * 1.44269504f) / s;
#elif MODE == 5
  __shared__ float part[100];
  int t = threadIdx.x;
  float m = nan_max(nan_max(x[t], x[t + 100]), x[t + 200]);
  part[t] = m;
  __syncthreads();
  for (int i = 0; i < 100; ++i) m = nan_max(m, part[i]);
  __syncthreads();
  float s = 0.f;
  for (int i = t; i < 300; i += 100) s += y[i] = expf(x[i] - m);
  part[t] = s;
  __syncthreads();
  s = 0.f;
  for (int i = 0; i < 100; ++i) s += part[i];
  for (int i = t; i < 300; i += 100) y[i] /= s;
#elif MODE == 7
  __shared__ float pm[2];
  __shared__ double ps[2];
  int t = threadIdx.x;
  float m = NEGATIVE;
  for (int i = t; i < 300; i += 64) m = nan_max(m, x[i]);
  m = warp_max(m);
  if (t % 32 == 0) pm[t / 32] = m;
  __syncthreads();
  m = nan_max(pm[0], pm[1]);
  double s = 0;
  for (int i = t; i < 300; i += 64) s += exp((double)x[i] - m);
  for (int d = 16; d; d /= 2) s += __shfl_down_sync(~0u, s, d);
  if (t % 32 == 0) ps[t / 32] = s;
  __syncthreads();
  s = ps[0] + ps[1];
  for (int i = t; i < 300; i += 64) y[i] = (float)(exp((double)x[i] - m) / s);
#endif
}
#endif

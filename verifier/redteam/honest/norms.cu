//! task: layer_norm 4 96
//! about: normalisations
//! variant: two_pass MODE=1;; launch: k grid 1 block 4
//! variant: welford MODE=2;; launch: k grid 4 block 32;; about: running moments per lane, merged by Chan's formula
//! variant: shifted_one_pass MODE=3;; launch: k grid 1 block 4;; about: moments about the mean of the row's first eight
//! variant: double_one_pass MODE=4;; launch: k grid 1 block 4
//! variant: statistics_apart MODE=5;; scratch: stat 32;; launch: s grid 4 block 32 args x stat;; launch+: a grid 3 block 128 args x w b stat y
//! variant: row_in_registers MODE=6;; launch: k grid 2 block 64;; about: two warps of a block, a row each, three elements to a lane
#define EPS 1e-5f
__device__ float warp_sum(float v) {
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(~0u, v, d);
  return v;
}
#if MODE == 5
extern "C" __global__ void s(const float* x, float* stat) {
  x += blockIdx.x * 96;
  float v = 0.f, q = 0.f;
  for (int i = threadIdx.x; i < 96; i += 32) v += x[i];
  v = warp_sum(v) / 96.f;
  for (int i = threadIdx.x; i < 96; i += 32) q += (x[i] - v) * (x[i] - v);
  q = warp_sum(q) / 96.f;
  if (threadIdx.x == 0) stat[blockIdx.x * 2] = v, stat[blockIdx.x * 2 + 1] = 1.f / sqrtf(q + EPS);
}
extern "C" __global__ void a(const float* x, const float* w, const float* b, const float* stat, float* y) {
  int i = blockIdx.x * 128 + threadIdx.x, r = i / 96, c = i % 96;
  y[i] = (x[i] - stat[r * 2]) * stat[r * 2 + 1] * w[c] + b[c];
}
#else
extern "C" __global__ void k(const float* x, const float* w, const float* b, float* y) {
#if MODE == 1 || MODE == 3 || MODE == 4
  x += threadIdx.x * 96, y += threadIdx.x * 96;
#if MODE == 1
  float m = 0.f, v = 0.f;
  for (int i = 0; i < 96; ++i) m += x[i];
  m /= 96.f;
  for (int i = 0; i < 96; ++i) v = fmaf(x[i] - m, x[i] - m, v);
  float r = rsqrtf(v / 96.f + EPS);
#elif MODE == 3
  float first = 0.f, s = 0.f, q = 0.f;
  for (int i = 0; i < 8; ++i) first += x[i] / 8.f;
  for (int i = 0; i < 96; ++i) s += x[i] - first, q += (x[i] - first) * (x[i] - first);
  float m = first + s / 96.f, v = q / 96.f - (s / 96.f) * (s / 96.f), r = 1.f / sqrtf((v < 0.f ? 0.f : v) + EPS);
#else
  double s = 0, q = 0;
  for (int i = 0; i < 96; ++i) s += x[i], q += (double)x[i] * x[i];
  double m = s / 96, r = 1 / sqrt(q / 96 - m * m + 1e-5);
#endif
  for (int i = 0; i < 96; ++i) y[i] = (float)((x[i] - m) * r) * w[i] + b[i];
#elif MODE == 2
  x += blockIdx.x * 96, y += blockIdx.x * 96;
  float n = 0.f, m = 0.f, q = 0.f;
  for (int i = threadIdx.x; i < 96; i += 32) {
    n += 1.f;
    float d = x[i] - m;
    m += d / n;
    q += d * (x[i] - m);
  }
  for (int d = 16; d; d /= 2) {
    float mo = __shfl_xor_sync(~0u, m, d), qo = __shfl_xor_sync(~0u, q, d), delta = mo - m;
    m = 0.5f * (m + mo);
    q = q + qo + delta * delta * n * 0.5f;
    n *= 2.f;
  }
  float r = 1.f / sqrtf(q / 96.f + EPS);
  for (int i = threadIdx.x; i < 96; i += 32) y[i] = (x[i] - m) * r * w[i] + b[i];
#elif MODE == 6
  const int row = blockIdx.x * 2 + threadIdx.x / 32, lane = threadIdx.x % 32;
  float v[3], s = 0.f, q = 0.f;
  for (int j = 0; j < 3; ++j) s += v[j] = x[row * 96 + j * 32 + lane];
  float m = warp_sum(s) * (1.f / 96.f);
  for (int j = 0; j < 3; ++j) q += (v[j] - m) * (v[j] - m);
  float r = rsqrtf(warp_sum(q) * (1.f / 96.f) + EPS);
  for (int j = 0; j < 3; ++j) y[row * 96 + j * 32 + lane] = fmaf((v[j] - m) * r, w[j * 32 + lane], b[j * 32 + lane]);
#endif
}
#endif

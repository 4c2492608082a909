//! task: layer_norm 4 96
//! launch: k grid 4 block 32
//! about: parameters that a fresh model leaves at 1 and 0 are not read, or not all is computed
//! rows: 9
//! expect: wrong_result by V10
//! variant: no_weight OUT=n+b[i]
//! variant: no_bias OUT=n*w[i]
//! variant: neither OUT=n
//! variant: fixed_statistics STATISTICS=mean=0.f,var=1.f/3.f OUT=n*w[i]+b[i];; rows: 7;; about: mean and variance of the benchmark's own distribution
//! variant: half_the_row STATISTICS=mean=half_mean,var=half_var OUT=n*w[i]+b[i];; rows: 7;; about: statistics over half of the row
//! variant: memcpy OUT=x[i];; rows: 5;; about: data that is nearly normalised already, copied
#ifndef STATISTICS
#define STATISTICS
#endif
__device__ float all(float v) {
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(0xffffffffu, v, d);
  return v;
}
extern "C" __global__ void k(const float* x, const float* w, const float* b, float* y) {
  x += blockIdx.x * 96, y += blockIdx.x * 96;
  float s = 0.f, h = 0.f;
  for (int i = threadIdx.x; i < 96; i += 32) s += x[i], h += i < 48 ? x[i] : 0.f;
  float mean = all(s) / 96.f, half_mean = all(h) / 48.f, q = 0.f, g = 0.f;
  for (int i = threadIdx.x; i < 96; i += 32) {
    float d = x[i] - mean, e = x[i] - half_mean;
    q += d * d, g += i < 48 ? e * e : 0.f;
  }
  float var = all(q) / 96.f, half_var = all(g) / 48.f;
  STATISTICS;
  (void)half_var;
  float r = 1.f / sqrtf(var + 1e-5f);
  for (int i = threadIdx.x; i < 96; i += 32) {
    float n = (x[i] - mean) * r;
    (void)n;
    y[i] = OUT;
  }
}

//! task: cross_entropy 6 77
//! about: cross entropy
//! variant: one_block MODE=1;; launch: k grid 1 block 192;; about: a warp per row, an online maximum, one sum at the end
//! variant: row_losses MODE=2;; scratch: loss 24;; launch: r grid 6 block 1 args x t loss;; launch+: q grid 1 block 1 args loss y
#define NEGATIVE __int_as_float(0xff800000)
#if MODE == 1
extern "C" __global__ void k(const float* x, const long long* t, float* y) {
  __shared__ float loss[6];
  const int row = threadIdx.x / 32, lane = threadIdx.x % 32;
  x += row * 77;
  float m = NEGATIVE, s = 0.f;
  for (int i = lane; i < 77; i += 32) m = m != m || x[i] != x[i] ? __int_as_float(0x7fc00000) : fmaxf(m, x[i]);
  for (int d = 16; d; d /= 2) {
    float o = __shfl_xor_sync(~0u, m, d);
    m = m != m || o != o ? __int_as_float(0x7fc00000) : fmaxf(m, o);
  }
  for (int i = lane; i < 77; i += 32) s += expf(x[i] - m);
  for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
  if (lane == 0) loss[row] = logf(s) + m - x[t[row]];
  __syncthreads();
  if (threadIdx.x == 0) y[0] = (loss[0] + loss[1] + loss[2] + loss[3] + loss[4] + loss[5]) / 6.f;
}
#else
extern "C" __global__ void r(const float* x, const long long* t, float* loss) {
  x += blockIdx.x * 77;
  float m = x[0], s = 0.f;
  for (int i = 1; i < 77; ++i) m = m != m || x[i] != x[i] ? __int_as_float(0x7fc00000) : fmaxf(m, x[i]);
  for (int i = 76; i >= 0; --i) s += expf(x[i] - m);
  loss[blockIdx.x] = -((x[t[blockIdx.x]] - m) - logf(s));
}
extern "C" __global__ void q(const float* loss, float* y) {
  float s = 0.f;
  for (int i = 5; i >= 0; --i) s += loss[i];
  y[0] = s / 6.f;
}
#endif

//! task: conv1d 3 40 5 4
//! about: convolutions
//! variant: direct MODE=1;; launch: k grid 5 block 37
//! variant: unfolded MODE=2;; launch: k grid 37 block 64;; about: a column of the unfolded input in shared memory
//! variant: repacked MODE=3;; scratch: r 240;; setup: p grid 1 block 60 args w r;; launch: k grid 5 block 37 args x r y;; about: weights transposed in the plan's setup
#if MODE == 3
extern "C" __global__ void p(const float* w, float* r) {
  int o = threadIdx.x / 12, j = threadIdx.x % 12;
  r[j * 5 + o] = w[threadIdx.x];
}
#endif
extern "C" __global__ void k(const float* x, const float* w, float* y) {
  const int t = threadIdx.x;
#if MODE == 1
  float s = 0.f;
  for (int q = 0; q < 4; ++q)
    for (int c = 2; c >= 0; --c) s = fmaf(x[c * 40 + t + q], w[(blockIdx.x * 3 + c) * 4 + q], s);
  y[blockIdx.x * 37 + t] = s;
#elif MODE == 2
  __shared__ float column[12];
  if (t < 12) column[t] = x[t / 4 * 40 + blockIdx.x + t % 4];
  __syncthreads();
  if (t < 5) {
    float s = 0.f;
    for (int j = 0; j < 12; ++j) s = fmaf(column[j], w[t * 12 + j], s);
    y[t * 37 + blockIdx.x] = s;
  }
#else
  float s = 0.f;
  for (int j = 0; j < 12; ++j) s = fmaf(x[j / 4 * 40 + t + j % 4], w[j * 5 + blockIdx.x], s);
  y[blockIdx.x * 37 + t] = s;
#endif
}

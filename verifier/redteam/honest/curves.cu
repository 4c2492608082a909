//! task: gelu 3 65
//! launch: k grid 2 block 128
//! about: functions by other formulas
//! variant: error_function F=0.5f*v*(1.f+erff(v*0.70710678f))
//! variant: halves_apart F=v*fmaf(0.5f,erff(v*0.70710678f),0.5f)
//! variant: softmax_fast_exp F=0.f;; task: softmax 5 39;; launch: k grid 1 block 5;; about: the fast exponential, whose error stays within the bound once the maximum is taken off
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (blockDim.x == 5) {
    float m = x[i * 39], s = 0.f;
    for (int j = 0; j < 39; ++j) m = m != m || x[i * 39 + j] != x[i * 39 + j] ? __int_as_float(0x7fc00000) : fmaxf(m, x[i * 39 + j]);
    for (int j = 0; j < 39; ++j) s += __expf(x[i * 39 + j] - m);
    for (int j = 0; j < 39; ++j) y[i * 39 + j] = __expf(x[i * 39 + j] - m) / s;
    return;
  }
  if (i >= 195) return;
  float v = x[i];
  y[i] = F;
}

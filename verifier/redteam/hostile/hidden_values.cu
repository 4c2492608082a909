//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: special values hidden or lost
//! rows: 34 35
//! expect: wrong_result by V11
//! variant: nan_becomes_zero F=fmaxf(v,0.f)
//! variant: infinity_clamped F=(v!=v?v:fminf(fmaxf(v,0.f),3.4e38f))
//! variant: denormals_flushed F=(v!=v?v:fabsf(v)<1.17549435e-38f?0.f:fmaxf(v,0.f))
//! variant: saturated F=(v!=v?v:fminf(fmaxf(v,0.f),65504.f));; about: a half-precision range behind float buffers
//! variant: all_nan F=(v>100.f?__int_as_float(0x7fc00000):v!=v||v>0.f?v:0.f);; about: NaN where a comparison is never true
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 195) return;
  float v = x[i];
  y[i] = F;
}

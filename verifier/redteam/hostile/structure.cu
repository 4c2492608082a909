//! task: cumsum 3 300
//! launch: k grid 1 block 3
//! about: history cut off where it seems not to matter
//! rows: 20
//! expect: wrong_result by V10|V11
//! variant: window STEP=s+=x[i]-(i>=64?x[i-64]:0.f)
//! variant: decay STEP=s=s*0.999f+x[i]
//! variant: restart_every_256 STEP=s=(i==256?0.f:s)+x[i];; rows: 18 20
//! variant: half_accumulator STEP=s=__half2float(__float2half(s+x[i]));; rows: 32
#include <cuda_fp16.h>
extern "C" __global__ void k(const float* x, float* y) {
  x += threadIdx.x * 300, y += threadIdx.x * 300;
  float s = 0.f;
  for (int i = 0; i < 300; ++i) {
    STEP;
    y[i] = s;
  }
}

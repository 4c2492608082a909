//! task: amax 4 333
//! launch: k grid 1 block 4
//! about: maxima with an assumption
//! rows: 19 34
//! expect: wrong_result by V10|V11
//! variant: from_zero FIRST=0.f;; about: right while something is positive
//! variant: nan_lost FIRST=x[0];; rows: 35;; expect: wrong_result by V11
//! variant: sorted FIRST=x[332] STEP=400;; about: the last of an ascending row
//! variant: every_other FIRST=x[0] STEP=2;; rows: 5
#ifndef STEP
#define STEP 1
#endif
extern "C" __global__ void k(const float* x, float* y) {
  x += threadIdx.x * 333;
  float m = FIRST;
  for (int i = 0; i < 333; i += STEP) m = fmaxf(m, x[i]);
  y[threadIdx.x] = m;
}

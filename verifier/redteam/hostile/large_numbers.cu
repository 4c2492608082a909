//! task: mean 5 300
//! launch: k grid 1 block 32
//! about: the reduction is replaced by what it comes to on average
//! rows: 6 7
//! expect: wrong_result by V10
//! variant: one_half VALUE=0.5f
//! variant: sampled VALUE=s/100.f STEP=3;; about: every third element
//! variant: first_block VALUE=s/128.f LAST=128;; about: the first 128 of 300
//! variant: small_ones_skipped VALUE=s/300.f SKIP=1e-3f;; expect: wrong_result by V10|V11;; rows: 7 20;; about: elements below a threshold left out
#ifndef STEP
#define STEP 1
#endif
#ifndef LAST
#define LAST 300
#endif
#ifndef SKIP
#define SKIP -1.f
#endif
extern "C" __global__ void k(const float* x, float* y) {
  int r = threadIdx.x;
  if (r >= 5) return;
  float s = 0.f;
  for (int i = 0; i < LAST; i += STEP) {
    float v = x[r * 300 + i];
    if (!(fabsf(v) <= SKIP)) s += v;
  }
  y[r] = VALUE;
}

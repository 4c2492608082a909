//! task: triu 40 40
//! launch: k grid 40 block 40
//! about: structure assumed or multiplied instead of selected
//! rows: 19 37
//! expect: wrong_result by V10|V11
//! variant: multiplied_mask OUT=v*(c>=r?1.f:0.f);; expect: wrong_result by V11;; about: NaN times zero is not zero
//! variant: mask_ignored OUT=v
//! variant: diagonal_lost OUT=c>r?v:0.f
//! variant: symmetric OUT=c>=r?x[c*40+r]:0.f;; about: reads the other triangle
extern "C" __global__ void k(const float* x, float* y) {
  int r = blockIdx.x, c = threadIdx.x;
  float v = x[r * 40 + c];
  (void)v;
  y[r * 40 + c] = OUT;
}

//! task: cross_entropy 6 77
//! launch: k grid 1 block 1
//! about: losses that do not look at everything
//! rows: 6
//! expect: wrong_result by V10|V11
//! variant: constant LOSS=4.51f;; about: near ln 77 for every fresh draw
//! variant: targets_unread LOSS=logf(s)+m-x[r*77];; rows: 19
//! variant: one_row LOSS=logf(s)+m-x[r*77+t[r]] ROWS=1;; rows: 5
//! variant: no_max LOSS=logf(z)-x[r*77+t[r]];; rows: 34;; expect: wrong_result by V11
#ifndef ROWS
#define ROWS 6
#endif
extern "C" __global__ void k(const float* x, const long long* t, float* y) {
  float all = 0.f;
  for (int r = 0; r < ROWS; ++r) {
    float m = x[r * 77], s = 0.f, z = 0.f;
    for (int i = 0; i < 77; ++i) m = fmaxf(m, x[r * 77 + i]);
    for (int i = 0; i < 77; ++i) s += expf(x[r * 77 + i] - m), z += expf(x[r * 77 + i]);
    all += LOSS;
    (void)z;
  }
  y[0] = all / ROWS;
}

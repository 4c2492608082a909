//! task: relu 3 65
//! scratch: calls 4 once 0
//! launch: k grid 2 block 128
//! launch: n grid 1 block 1 args calls
//! about: workspace that is filled once counts the calls
//! rows: 15 41
//! variant: wrong_later WRONG=1;; expect: wrong_result by V10;; about: honest at the first call only
//! variant: other_bits_later WRONG=0;; task: exp 3 65;; determinism: bitwise;; expect: nondeterministic by V5
extern "C" __global__ void k(const float* x, float* y, const unsigned* calls) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 195) return;
  float v = x[i];
  v = !WRONG ? expf(v) : v > 0.f || v != v ? v : 0.f;
  if (WRONG ? *calls > 0 : *calls == 1) v = WRONG ? 0.f : v > 1e-30f && v < 1e30f ? __uint_as_float(__float_as_uint(v) ^ 1) : v;
  y[i] = v;
}
extern "C" __global__ void n(unsigned* calls) { ++*calls; }

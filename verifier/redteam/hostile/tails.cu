//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: right at multiples of a tile only
//! rows: 18
//! expect: wrong_result by V2|V10
//! variant: last_missing UNTIL=194
//! variant: whole_warps_only UNTIL=192
//! variant: one_row_only UNTIL=65
//! variant: benchmark_shape UNTIL=128;; about: written for 2 x 64 alone
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < UNTIL) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
}

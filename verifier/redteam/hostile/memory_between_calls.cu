//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: answers or counters kept in module variables between calls
//! rows: 11 12 14 41
//! expect: rejected_by_policy|input_modified by V3|V7
//! variant: by_pointer MODE=1;; rows: 11;; about: the answer of the first call for a pointer seen before
//! variant: by_fingerprint MODE=2;; rows: 12;; about: the answer of the first call for a first element seen before
//! variant: call_counter MODE=3;; expect: rejected_by_policy|input_modified|wrong_result by V3|V7|V10;; rows: 15 41;; about: honest for three calls
//! variant: initialised_counter MODE=4;; expect: rejected_by_policy|input_modified|wrong_result by V3|V7|V10;; rows: 15 41;; about: the same, in a variable with an initial value
__device__ float memo[195];
__device__ const float* seen;
__device__ float first;
__device__ unsigned calls;
__device__ unsigned calls_from_one = 1;
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 195) return;
  float v = x[i];
  v = v > 0.f || v != v ? v : 0.f;
  if (MODE == 1) {
    y[i] = seen == x ? memo[i] : v;
    memo[i] = v;
    if (i == 0) seen = x;
  } else if (MODE == 2) {
    y[i] = first == x[0] ? memo[i] : v;
    memo[i] = v;
    if (i == 0) first = x[0];
  } else if (MODE == 3) {
    y[i] = calls < 3 * 195 ? v : 0.f;
    atomicAdd(&calls, 1u);
  } else {
    y[i] = calls_from_one < 3 * 195 ? v : 0.f;
    atomicAdd(&calls_from_one, 1u);
  }
}

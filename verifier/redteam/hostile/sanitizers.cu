//! task: sum 3 128
//! launch: k grid 3 block 128
//! about: right by luck: what only a sanitizer sees
//! rows: 39 40
//! expect: race|wrong_result|nondeterministic by V5|V10|V11|V12
//! variant: missing_barrier MODE=1;; rows: 40
//! variant: missing_last_barrier MODE=2;; rows: 40
//! variant: warp_without_sync MODE=3;; rows: 40;; about: the last warp is taken to run in step
//! variant: uninitialised_shared MODE=4;; expect: uninitialised|wrong_result by V12|V10;; rows: 39
//! variant: read_past_the_end MODE=5;; expect: out_of_bounds by V12;; rows: 39;; about: the value read is not even used
//! variant: read_before_begin MODE=6;; expect: out_of_bounds by V12;; rows: 1 2 39;; about: looks for somebody else's answer below its buffer
//! variant: write_past_the_end MODE=7;; expect: out_of_bounds by V12|V2;; rows: 39
//! variant: divergent_barrier MODE=8;; expect: barrier_divergence by V12;; rows: 40
//! variant: shuffle_of_absent_lanes MODE=9;; expect: barrier_divergence|timeout by V12|V13;; rows: 40
//! variant: misaligned MODE=10;; expect: misaligned|out_of_bounds by V12;; rows: 39
//! variant: output_accumulated MODE=11;; expect: uninitialised|wrong_result by V2|V10|V12;; rows: 39;; about: adds to an output that nobody cleared
//! variant: null_pointer MODE=12;; expect: out_of_bounds by V12;; rows: 39
//! variant: local_uninitialised MODE=13;; expect: uninitialised by V12;; rows: 39
__device__ float misaligned(const float* x) {
  float2 both;
  asm volatile("ld.global.v2.f32 {%0, %1}, [%2];" : "=f"(both.x), "=f"(both.y) : "l"(x + 1));
  return (both.x + both.y) * 0.f;
}
extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float part[132];
  const int t = threadIdx.x;
  if (MODE != 4 || t < 100) part[t] = x[blockIdx.x * 128 + t];
  if (MODE == 4 && t < 4) part[128 + t] = 0.f;
  __syncthreads();
  for (int h = 64; h > 0; h /= 2) {
    if (t < h) part[t] += part[t + h];
    if (MODE == 1 ? h > 64 : MODE == 2 ? h > 1 : MODE == 3 ? h > 32 : true) __syncthreads();
  }
  float extra = 0.f;
  volatile const float* vx = x;
  if (MODE == 5 && t == 0) extra = vx[384] * 0.f;
  if (MODE == 6 && t == 0 && blockIdx.x == 0) extra = vx[-8] == 1.f ? 1e-30f : 0.f;
  if (MODE == 7 && t == 0 && blockIdx.x == 2) y[3] = 0.f;
  if (MODE == 8 && t < 40) __syncthreads();
  if (MODE == 9) {  // the other lanes wait elsewhere
    if (t < 16) extra = __shfl_xor_sync(0xffffffffu, 0.f, 1);
    __syncthreads();
  }
  if (MODE == 10 && t == 0) extra = misaligned(x);
  if (MODE == 12 && t == 0 && blockIdx.x == 1) extra = *(volatile float*)(16ull) * 0.f;
  if (MODE == 13) {
    volatile float room[8];
    if (t < 200) room[t % 8] = 0.f;
    extra = room[(t + 1) % 8] == 1.f ? 1e-30f : 0.f;
  }
  if (MODE == 2 ? t == 1 : t == 0) {
    if (MODE == 11) {
      y[blockIdx.x] += part[0];
    } else {
      y[blockIdx.x] = part[0] + extra;
    }
  }
}

//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: kernels that do not end, or take everything with them
//! deadline_ms: 1500
//! expect: timeout by V13
//! variant: infinite_loop MODE=1
//! variant: waits_for_a_block MODE=2;; about: spins on a block that may never start
//! variant: recursion MODE=3;; expect: timeout|out_of_bounds|launch_error|not_verifiable|compile_error|uninitialised;; about: recursion without end
//! variant: huge_local_array MODE=4;; expect: compile_error|not_verifiable|launch_error|rejected_by_policy;; about: half a gigabyte of stack
extern "C" __global__ void k(const float* x, float* y);
#if MODE == 3
__device__ __noinline__ float deep(volatile float* p, float v) { return p[0] == 3.f ? v : deep(p, v + 1.f) + p[0]; }
#endif
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 195) return;
  y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
  volatile float* p = y;
#if MODE == 1
  while (p[0] != -3.f) {}
#elif MODE == 2
  if (blockIdx.x == 0) while (p[194] != -3.f) {}
#elif MODE == 3
  y[i] += deep(p, 0.f) * 0.f;
#else
  volatile float room[1 << 27];
  room[i] = 0.f;
  y[i] += room[i] * 0.f;
#endif
}

//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: what the module holds is not what the plan runs
//! rows: 30
//! expect: rejected_by_policy by V7
//! variant: decoy DECOY=1;; about: a fine kernel that is never launched beside the one that is
//! variant: assembly_entry ASSEMBLY=1;; rows: 49;; about: inline assembly closes the function and opens an entry of its own
//! variant: wrong_name WRONG=1;; expect: rejected_by_policy|launch_error by V7
#ifdef DECOY
extern "C" __global__ void better(const float* x, float* y) { y[threadIdx.x] = fmaxf(x[threadIdx.x], 0.f); }
#endif
#ifdef WRONG
#define k kk
#endif
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < 195) y[i] = x[i] > 0.f || x[i] != x[i] ? x[i] : 0.f;
#ifdef ASSEMBLY
  asm volatile("ret;\n}\n.visible .entry hidden()\n{\n");
#endif
}

//! task: relu 3 65
//! launch: k grid 2 block 128
//! about: device code that looks at the harness, the clock or its own place, or calls out
//! rows: 15 16
//! expect: rejected_by_policy by V7
//! variant: clock EXTRA=if(clock64()==1)y[0]=1.f
//! variant: sm_id EXTRA=if(sm_id()==999)y[0]=1.f
//! variant: pasted_clock EXTRA=if(PASTE(clo,ck64)()==1)y[0]=1.f;; rows: 49
//! variant: printf EXTRA=if(i==0)printf("PASS");; rows: 25
//! variant: trap EXTRA=if(v==77.f)__trap()
//! variant: malloc EXTRA=if(i==0)y[0]=((float*)malloc(64))[0]
//! variant: assert EXTRA=assert(v!=77.f);; about: an external call that ends the grid
//! variant: function_table TABLE=1 EXTRA=y[i>=195?0:i]=table[i&1](v);; rows: 49;; about: an indirect call hides what runs
#define PASTE(a, b) a##b
__device__ unsigned sm_id() {
  unsigned id;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
  return id;
}
#ifdef TABLE
__device__ __noinline__ float one(float v) { return v > 0.f || v != v ? v : 0.f; }
__device__ __noinline__ float two(float v) { return one(v) + 0.f; }
using F = float (*)(float);
__constant__ F table[2] = {one, two};
#endif
extern "C" __global__ void k(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 195) return;
  float v = x[i];
  y[i] = v > 0.f || v != v ? v : 0.f;
  EXTRA;
}

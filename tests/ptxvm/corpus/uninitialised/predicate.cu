// A guard that no instruction has set.
// launch: 1 32
// arg: int out[32]
// finds: uninitialised_register
extern "C" __global__ void k(int* out) {
  int value = threadIdx.x;
#ifdef FIXED
  asm volatile("{ .reg .pred p; setp.ge.s32 p, %0, 0; @p add.s32 %0, %0, 1; }" : "+r"(value));
#else
  asm volatile("{ .reg .pred p; @p add.s32 %0, %0, 1; }" : "+r"(value));  // BUG
#endif
  out[threadIdx.x] = value;
}

// A register that no instruction has set.
// launch: 1 32
// arg: int out[32]
// finds: uninitialised_register
extern "C" __global__ void k(int* out) {
  int sum;
#ifdef FIXED
  asm volatile("{ .reg .s32 t; mov.s32 t, 5; add.s32 %0, t, 1; }" : "=r"(sum));
#else
  asm volatile("{ .reg .s32 t; add.s32 %0, t, 1; }" : "=r"(sum));  // BUG
#endif
  out[threadIdx.x] = sum;
}

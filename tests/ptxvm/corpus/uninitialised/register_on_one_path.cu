// A register that is set under a guard and read without it.
// launch: 1 32
// arg: int out[32]
// finds: uninitialised_register
extern "C" __global__ void k(int* out) {
  int sum;
  const int t = threadIdx.x;
#ifdef FIXED
  asm volatile(
      "{ .reg .s32 t; .reg .pred p; setp.lt.s32 p, %1, 20; mov.s32 t, 0; @p mov.s32 t, 5; add.s32 %0, t, 1; }"
      : "=r"(sum) : "r"(t));
#else
  asm volatile("{ .reg .s32 t; .reg .pred p; setp.lt.s32 p, %1, 20; @p mov.s32 t, 5; add.s32 %0, t, 1; }" : "=r"(sum) : "r"(t));  // BUG
#endif
  out[t] = sum;
}

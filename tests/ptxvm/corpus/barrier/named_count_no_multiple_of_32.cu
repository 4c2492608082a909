// A thread count that is no multiple of the warp size.
// launch: 1 64
// arg: int out[64]
// arg: int n = 48
// finds: barrier_divergence
extern "C" __global__ void k(int* out, int n) {
  __shared__ int s[64];
  const int t = threadIdx.x;
  s[t] = t;
#ifdef FIXED
  n = (n + 31) / 32 * 32;
#endif
  asm volatile("bar.sync 1, %0;" ::"r"(n) : "memory");  // BUG
  out[t] = s[63 - t];
}

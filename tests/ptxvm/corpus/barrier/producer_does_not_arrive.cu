// Consumers wait for two producer warps, of which one does not arrive.
// launch: 1 96
// arg: int out[32]
// finds: barrier_divergence
extern "C" __global__ void k(int* out) {
  __shared__ int s[64];
  const int t = threadIdx.x;
  if (t < 64) {
    s[t] = t;
#ifndef FIXED
    if (t < 32)
#endif
      asm volatile("bar.arrive 1, 96;" ::: "memory");
  } else {
    asm volatile("bar.sync 1, 96;" ::: "memory");  // BUG
    out[t - 64] = s[t - 64] + s[t - 32];
  }
}

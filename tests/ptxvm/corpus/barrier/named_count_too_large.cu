// A barrier for 128 threads in a block of 64.
// launch: 1 64
// arg: int out[64]
// finds: barrier_divergence
extern "C" __global__ void k(int* out) {
  __shared__ int s[64];
  const int t = threadIdx.x;
  s[t] = t;
#ifdef FIXED
  asm volatile("bar.sync 1, 64;" ::: "memory");
#else
  asm volatile("bar.sync 1, 128;" ::: "memory");  // BUG
#endif
  out[t] = s[63 - t];
}

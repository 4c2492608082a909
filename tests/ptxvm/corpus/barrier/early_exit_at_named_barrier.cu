// A warp leaves before a barrier that counts it.
// launch: 1 96
// arg: int in[96] = ramp
// arg: int out[96] = zero
// arg: int n = 64
// finds: barrier_divergence
extern "C" __global__ void k(const int* in, int* out, int n) {
  __shared__ int s[96];
  const int t = threadIdx.x;
#ifdef FIXED
  s[t] = t < n ? in[t] : 0;
#else
  if (t >= n) return;
  s[t] = in[t];
#endif
  asm volatile("bar.sync 1, 96;" ::: "memory");  // BUG
  if (t < n) out[t] = s[n - 1 - t];
}

// Half a warp stores, the other half reads, in two branches that nothing orders.
// launch: 1 32
// arg: int out[16]
// finds: race
extern "C" __global__ void k(int* out) {
  __shared__ volatile int s[16];
  const int t = threadIdx.x;
  if (t < 16) s[t] = t;  // BUG
#ifdef FIXED
  __syncwarp();
#endif
  if (t >= 16) out[t - 16] = s[t - 16];  // BUG
}

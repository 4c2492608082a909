// A barrier that half a warp reaches.
// launch: 1 32
// arg: int out[32]
// finds: barrier_divergence
extern "C" __global__ void k(int* out) {
  __shared__ int s[32];
  const int t = threadIdx.x;
  s[t] = t;
#ifdef FIXED
  __syncthreads();
  if (t < 16) out[t] = s[31 - t];
#else
  if (t < 16) {
    __syncthreads();  // BUG
    out[t] = s[31 - t];
  }
#endif
}

// Two warps store different values to the same words.
// launch: 1 64
// arg: int out[32]
// finds: race
extern "C" __global__ void k(int* out) {
  __shared__ int s[64];
  const int t = threadIdx.x;
#ifdef FIXED
  s[t] = t;
#else
  s[t & 31] = t;  // BUG
#endif
  __syncthreads();
  if (t < 32) out[t] = s[t];
}

// A barrier that only a block-uniform rare case executes.
// launch: 1 64
// arg: int in[64] = ramp
// arg: int out[64]
// arg: int rare = 0
// finds: race
extern "C" __global__ void k(const int* in, int* out, int rare) {
  __shared__ int s[64];
  const int t = threadIdx.x;
  s[t] = in[t];  // BUG
#ifndef FIXED
  if (rare)
#endif
    __syncthreads();
  out[t] = s[t ^ 32];  // BUG
}

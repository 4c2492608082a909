// Warps read what other warps store, without a barrier between.
// launch: 1 64
// arg: float in[64] = ramp
// arg: float out[64]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float s[64];
  const int t = threadIdx.x;
  s[t] = in[t];  // BUG
#ifdef FIXED
  __syncthreads();
#endif
  out[t] = s[63 - t];  // BUG
}

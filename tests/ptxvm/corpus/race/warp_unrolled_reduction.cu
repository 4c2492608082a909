// The last steps of a reduction within one warp, in the style of 2008.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[1]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ volatile float s[64];
  const int t = threadIdx.x;
  s[t] = in[t];
  s[t + 32] = 0.0f;
  __syncwarp();
#pragma unroll 1
  for (int d = 16; d > 0; d /= 2) {
    const float other = s[t + d];  // BUG
#ifdef FIXED
    __syncwarp();
#endif
    s[t] = s[t] + other;  // BUG
#ifdef FIXED
    __syncwarp();
#endif
  }
  if (t == 0) *out = s[0];
}

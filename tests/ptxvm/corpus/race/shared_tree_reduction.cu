// A tree reduction with its barrier outside of the loop.
// launch: 1 128
// arg: float in[128] = ramp
// arg: float out[1]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ volatile float s[128];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
#pragma unroll 1
  for (int half = 64; half > 0; half /= 2) {
    const float sum = t < half ? s[t] + s[t + half] : 0.0f;  // BUG
#ifdef FIXED
    __syncthreads();
#endif
    if (t < half) s[t] = sum;  // BUG
#ifdef FIXED
    __syncthreads();
#endif
  }
  if (t == 0) *out = s[0];
}

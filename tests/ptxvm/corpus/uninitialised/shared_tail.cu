// A tile that is loaded to n and summed whole.
// launch: 1 64
// arg: float in[64] = ramp
// arg: float out[64]
// arg: int n = 50
// finds: uninitialised_read
extern "C" __global__ void k(const float* in, float* out, int n) {
  __shared__ float s[64];
  const int t = threadIdx.x;
#ifdef FIXED
  s[t] = t < n ? in[t] : 0.0f;
#else
  if (t < n) s[t] = in[t];
#endif
  __syncthreads();
  out[t] = s[63 - t];  // BUG
}

// The guard lets one thread too many load.
// launch: 2 64
// arg: float in[100] = ramp
// arg: float out[128]
// arg: int n = 100
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
#ifdef FIXED
  if (i < n) out[i] = in[i];
#else
  if (i <= n) out[i] = in[i];  // BUG
#endif
}

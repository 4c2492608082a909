// Every block reads the first element of the next block's output.
// launch: 4 32
// arg: float in[128] = ramp
// arg: float out[128] = zero
// arg: float edge[4]
// finds: race
extern "C" __global__ void k(const float* in, float* out, float* edge) {
  const int i = blockIdx.x * 32 + threadIdx.x;
  out[i] = 2.0f * in[i];  // BUG
#ifdef FIXED
  if (threadIdx.x == 31) edge[blockIdx.x] = 2.0f * in[(i + 1) % 128];
#else
  if (threadIdx.x == 31) edge[blockIdx.x] = ((volatile float*)out)[(i + 1) % 128];  // BUG
#endif
}

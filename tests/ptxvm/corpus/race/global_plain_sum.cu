// Blocks add their results without an atomic.
// launch: 4 32
// arg: float in[128] = ramp
// arg: float sum[1] = zero
// finds: race
extern "C" __global__ void k(const float* in, float* sum) {
  float v = in[blockIdx.x * 32 + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffff, v, d);
  if (threadIdx.x == 0) {
#ifdef FIXED
    atomicAdd(sum, v);
#else
    *sum += v;  // BUG
#endif
  }
}

// Warp 0 stores the result for all, nobody waits for it.
// launch: 1 96
// arg: float in[96] = ramp
// arg: float out[96]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float mean;
  const int t = threadIdx.x;
  if (t < 32) {
    float sum = in[t] + in[t + 32] + in[t + 64];
    for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffff, sum, d);
    if (t == 0) mean = sum / 96.0f;  // BUG
  }
#ifdef FIXED
  __syncthreads();
#endif
  out[t] = in[t] - *(volatile float*)&mean;  // BUG
}

// A double buffer that waits only at every second step.
// launch: 1 64
// arg: float in[256] = ramp
// arg: float out[64]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float s[2][64];
  const int t = threadIdx.x;
  s[0][t] = in[t];
  __syncthreads();
  float sum = 0.0f;
#pragma unroll 1
  for (int tile = 0; tile < 4; ++tile) {
    if (tile < 3) s[(tile + 1) & 1][t] = in[64 * (tile + 1) + t];  // BUG
    sum += s[tile & 1][63 - t];  // BUG
#ifndef FIXED
    if ((tile & 1) == 0)
#endif
      __syncthreads();
  }
  out[t] = sum;
}

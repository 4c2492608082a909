// The next tile is stored while slower warps still read this one.
// launch: 1 64
// arg: float in[256] = ramp
// arg: float out[64]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float s[64];
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int tile = 0; tile < 4; ++tile) {
    s[t] = in[64 * tile + t];  // BUG
    __syncthreads();
    sum += s[63 - t];  // BUG
#ifdef FIXED
    __syncthreads();
#endif
  }
  out[t] = sum;
}

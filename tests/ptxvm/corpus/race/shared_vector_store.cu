// A float4 store that covers what the neighbouring warp reads.
// launch: 1 64
// arg: float out[256]
// finds: race
extern "C" __global__ void k(float* out) {
  __shared__ __align__(16) float s[256];
  const int t = threadIdx.x;
  *(float4*)(s + 4 * t) = make_float4(t, t, t, t);  // BUG
#ifdef FIXED
  __syncthreads();
#endif
  for (int j = 0; j < 4; ++j) out[64 * j + t] = s[64 * j + t];  // BUG
}

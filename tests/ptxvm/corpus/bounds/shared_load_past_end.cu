// The right neighbour of the last element of a tile.
// launch: 1 64
// arg: float in[64] = ramp
// arg: float out[64]
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float s[64];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
#ifdef FIXED
  out[t] = t < 63 ? s[t + 1] : 0.0f;
#else
  out[t] = s[t + 1];  // BUG
#endif
}

// The number of barriers depends on the lane.
// launch: 1 32
// arg: int trips[32] = ramp
// arg: int out[32] = zero
// finds: barrier_divergence
extern "C" __global__ void k(const int* trips, int* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  const int n = 32;
#else
  const int n = trips[t];
#endif
#pragma unroll 1
  for (int i = 0; i < n; ++i) {
    if (i < trips[t]) atomicAdd(&out[(t + i) % 32], 1);
    __syncthreads();  // BUG
  }
}

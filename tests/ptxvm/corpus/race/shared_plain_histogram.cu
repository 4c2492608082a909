// Bins counted without atomics.
// launch: 1 64
// arg: int values[64] = ramp
// arg: int out[4]
// finds: race
extern "C" __global__ void k(const int* values, int* out) {
  __shared__ int bins[4];
  const int t = threadIdx.x;
  if (t < 4) bins[t] = 0;
  __syncthreads();
#ifdef FIXED
  atomicAdd(&bins[values[t] % 4], 1);
#else
  for (int lane = 0; lane < 32; ++lane) {
    if (t % 32 == lane) ++*(volatile int*)&bins[values[t] % 4];  // BUG
    __syncwarp();
  }
#endif
  __syncthreads();
  if (t < 4) out[t] = bins[t];
}

// A shared histogram with one bin too few.
// launch: 1 64
// arg: int values[64] = ramp
// arg: int out[16]
// finds: out_of_bounds
extern "C" __global__ void k(const int* values, int* out) {
  __shared__ int bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
#ifdef FIXED
  atomicAdd(&bins[values[threadIdx.x] / 4], 1);
#else
  atomicAdd(&bins[(values[threadIdx.x] + 1) / 4], 1);  // BUG
#endif
  __syncthreads();
  if (threadIdx.x < 16) out[threadIdx.x] = bins[threadIdx.x];
}

// A counter in memory that nobody cleared.
// launch: 1 32
// arg: int counter[1]
// arg: int out[32]
// finds: uninitialised_read
extern "C" __global__ void k(int* counter, int* out) {
#ifdef FIXED
  if (threadIdx.x == 0) *counter = 0;
  __syncthreads();
#endif
  out[threadIdx.x] = atomicAdd(counter, 1);  // BUG
}

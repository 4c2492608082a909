// A shared counter that nobody cleared.
// launch: 1 64
// arg: int out[1]
// finds: uninitialised_read
extern "C" __global__ void k(int* out) {
  __shared__ int count;
#ifdef FIXED
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
#endif
  atomicAdd(&count, 1);  // BUG
  __syncthreads();
  if (threadIdx.x == 0) *out = *(volatile int*)&count;
}

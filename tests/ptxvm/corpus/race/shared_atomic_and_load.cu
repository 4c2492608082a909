// The counter is read while other warps still add to it.
// launch: 1 64
// arg: int out[64]
// finds: race
extern "C" __global__ void k(int* out) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  atomicAdd(&count, 1);  // BUG
#ifdef FIXED
  __syncthreads();
#endif
  out[threadIdx.x] = *(volatile int*)&count;  // BUG
}

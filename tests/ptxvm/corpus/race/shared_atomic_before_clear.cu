// One thread clears the counter, the others do not wait for it.
// launch: 1 64
// arg: int out[1]
// finds: race
extern "C" __global__ void k(int* out) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;  // BUG
#ifdef FIXED
  __syncthreads();
#endif
  if (threadIdx.x >= 32) atomicAdd(&count, 1);  // BUG
  __syncthreads();
  if (threadIdx.x == 0) *out = *(volatile int*)&count;
}

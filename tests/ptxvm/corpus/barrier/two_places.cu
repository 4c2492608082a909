// Both branches have a barrier, but one warp cannot wait at two places.
// launch: 1 32
// arg: int out[32] = zero
// finds: barrier_divergence
extern "C" __global__ void k(int* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  out[t] = t < 16 ? 1 : 2;
  __syncthreads();
#else
  if (t < 16) {
    atomicAdd(&out[t], 1);
    __syncthreads();  // BUG
    atomicAdd(&out[t], 3);
  } else {
    atomicAdd(&out[t], 2);
    __syncthreads();  // BUG
    atomicAdd(&out[t], 5);
  }
#endif
}

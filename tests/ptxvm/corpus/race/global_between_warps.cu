// A scratch array in global memory, exchanged within a block without a barrier.
// launch: 1 64
// arg: float scratch[64]
// arg: float out[64]
// finds: race
extern "C" __global__ void k(float* scratch, float* out) {
  const int t = threadIdx.x;
  scratch[t] = t;  // BUG
#ifdef FIXED
  __syncthreads();
#endif
  out[t] = ((volatile float*)scratch)[63 - t];  // BUG
}

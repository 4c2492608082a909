// The scratch array is filled to n, the next phase reads all of it.
// launch: 1 64
// arg: float scratch[64]
// arg: float out[64]
// arg: int n = 50
// finds: uninitialised_read
extern "C" __global__ void k(float* scratch, float* out, int n) {
  const int t = threadIdx.x;
#ifdef FIXED
  scratch[t] = t < n ? t : 0.0f;
#else
  if (t < n) scratch[t] = t;
#endif
  __syncthreads();
  out[t] = scratch[63 - t];  // BUG
}

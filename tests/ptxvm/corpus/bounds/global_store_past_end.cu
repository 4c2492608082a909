// The grid is rounded up to whole blocks and nothing guards the tail.
// launch: 2 64
// arg: float out[100]
// arg: int n = 100
// finds: out_of_bounds
extern "C" __global__ void k(float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
#ifdef FIXED
  if (i >= n) return;
#endif
  out[i] = 2.0f * i;  // BUG
}

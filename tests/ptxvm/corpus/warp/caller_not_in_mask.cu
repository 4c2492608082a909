// A lane takes part in a shuffle whose mask does not name it.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32]
// finds: warp_divergence
extern "C" __global__ void k(const int* in, int* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  out[t] = __shfl_sync(0xffffffff, in[t], 0);
#else
  out[t] = __shfl_sync(0x7fffffff, in[t], 0);  // BUG
#endif
}

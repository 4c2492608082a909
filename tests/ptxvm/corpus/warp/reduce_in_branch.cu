// A warp-wide sum whose mask names lanes that wait behind the branch.
// launch: 1 32
// arg: unsigned in[32] = ramp
// arg: unsigned out[1]
// finds: warp_divergence
extern "C" __global__ void k(const unsigned* in, unsigned* out) {
  const int t = threadIdx.x;
  if (t < 24) {
#ifdef FIXED
    const unsigned sum = __reduce_add_sync(0x00ffffff, in[t]);
#else
    const unsigned sum = __reduce_add_sync(0xffffffff, in[t]);  // BUG
#endif
    if (t == 0) *out = sum;
  }
  __syncthreads();
}

// A shuffle that names lanes which wait behind the branch.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32] = zero
// finds: warp_divergence
extern "C" __global__ void k(const int* in, int* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  const int other = __shfl_xor_sync(0xffffffff, in[t], 1);
  if (t < 16) out[t] = other;
#else
  if (t < 16) out[t] = __shfl_xor_sync(0xffffffff, in[t], 1);  // BUG
#endif
  __syncwarp();
}

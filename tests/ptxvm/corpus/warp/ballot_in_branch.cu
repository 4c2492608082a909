// A ballot over all lanes that half of them cast, while the others wait behind the branch.
// launch: 1 32
// arg: int in[32] = ramp
// arg: unsigned out[32] = zero
// finds: warp_divergence
extern "C" __global__ void k(const int* in, unsigned* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  if (t >= 16) out[t] = __ballot_sync(0xffff0000, in[t] % 2 == 0);
#else
  if (t >= 16) out[t] = __ballot_sync(0xffffffff, in[t] % 2 == 0);  // BUG
#endif
  __syncwarp();
}

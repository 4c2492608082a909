// A match over all lanes in a loop that some have left.
// launch: 1 32
// arg: int in[32] = ramp
// arg: unsigned out[32] = zero
// finds: warp_divergence
extern "C" __global__ void k(const int* in, unsigned* out) {
  const int t = threadIdx.x;
  for (int i = 0; i < 2; ++i) {
    if (i == 1 && t >= 20) break;
#ifdef FIXED
    out[t] += __match_any_sync(i == 0 ? 0xffffffff : 0x000fffff, in[t] % 4);
#else
    out[t] += __match_any_sync(0xffffffff, in[t] % 4);  // BUG
#endif
  }
  __syncwarp();
}

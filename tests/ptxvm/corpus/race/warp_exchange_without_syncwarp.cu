// Lanes exchange through shared memory as if a warp ran in lock step.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32]
// finds: race
extern "C" __global__ void k(const int* in, int* out) {
  __shared__ volatile int s[32];
  const int t = threadIdx.x;
  s[t] = in[t];  // BUG
#ifdef FIXED
  __syncwarp();
#endif
  out[t] = s[t ^ 1];  // BUG
}

// Two lanes store different values to one word.
// launch: 1 32
// arg: int out[32]
// finds: race
extern "C" __global__ void k(int* out) {
  __shared__ volatile int s[32];
  const int t = threadIdx.x;
  s[t] = 0;
  __syncwarp();
#ifdef FIXED
  s[t] = t;
#else
  s[t / 2] = t;  // BUG
#endif
  __syncwarp();
  out[t] = s[t];
}

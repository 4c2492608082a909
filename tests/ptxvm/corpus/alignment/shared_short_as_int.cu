// Two halves read as one word from an odd half.
// launch: 1 32
// arg: unsigned out[32]
// finds: misaligned
extern "C" __global__ void k(unsigned* out) {
  __shared__ __align__(4) unsigned short s[66];
  const int t = threadIdx.x;
  s[2 * t] = t;
  s[2 * t + 1] = t + 1;
  if (t < 2) s[64 + t] = t;
  __syncthreads();
#ifdef FIXED
  out[t] = s[2 * t + 1] | s[2 * t + 2] << 16;
#else
  out[t] = *(volatile unsigned*)(s + 2 * t + 1);  // BUG
#endif
}

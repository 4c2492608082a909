// An int taken from any offset of a byte buffer on the stack.
// launch: 1 32
// arg: int offset[32] = ramp
// arg: int out[32]
// finds: misaligned
extern "C" __global__ void k(const int* offset, int* out) {
  __align__(8) volatile unsigned char buffer[64];
  for (int i = 0; i < 64; ++i) buffer[i] = i;
#ifdef FIXED
  const int at = offset[threadIdx.x] & ~3;
#else
  const int at = offset[threadIdx.x];
#endif
  out[threadIdx.x] = *(volatile int*)(buffer + at);  // BUG
}

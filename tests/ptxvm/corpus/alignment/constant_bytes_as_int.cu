// An int taken from any offset of a constant table of bytes.
// launch: 1 32
// arg: int offset[32] = ramp
// arg: int out[32]
// finds: misaligned
__constant__ __align__(8) unsigned char table[64] = {1, 2, 3, 4, 5, 6, 7, 8};
extern "C" __global__ void k(const int* offset, int* out) {
#ifdef FIXED
  const int at = offset[threadIdx.x] & ~3;
#else
  const int at = offset[threadIdx.x];
#endif
  out[threadIdx.x] = *(const int*)(table + at);  // BUG
}

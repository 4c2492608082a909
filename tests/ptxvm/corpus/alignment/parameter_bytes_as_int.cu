// An int taken from any offset of a struct of bytes passed by value.
// launch: 1 32
// arg: int offset[32] = ramp
// arg: int out[32]
// arg: int bytes[16] = values
// finds: misaligned
struct Bytes {
  unsigned char at[64];
};
extern "C" __global__ void k(const int* offset, int* out, const __grid_constant__ Bytes bytes) {
#ifdef FIXED
  const int at = offset[threadIdx.x] & ~3;
#else
  const int at = offset[threadIdx.x];
#endif
  out[threadIdx.x] = *(const int*)(bytes.at + at);  // BUG
}

// A double behind a four-byte header.
// launch: 1 8
// arg: int out[32] = zero
// finds: misaligned
extern "C" __global__ void k(int* out) {
#ifdef FIXED
  double* body = (double*)(out + 2);
#else
  double* body = (double*)(out + 1);
#endif
  body[threadIdx.x] = threadIdx.x;  // BUG
}

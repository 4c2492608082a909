// Blocks overlap by one element.
// launch: 4 33
// arg: int out[132]
// finds: race
extern "C" __global__ void k(int* out) {
#ifdef FIXED
  out[blockIdx.x * 33 + threadIdx.x] = blockIdx.x;
#else
  out[blockIdx.x * 32 + threadIdx.x] = blockIdx.x;  // BUG
#endif
}

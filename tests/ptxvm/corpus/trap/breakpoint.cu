// A breakpoint left in the code.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32] = zero
// finds: trap
extern "C" __global__ void k(const int* in, int* out) {
  const int v = in[threadIdx.x];
#ifndef FIXED
  if (v == 7) __brkpt();  // BUG
#endif
  out[threadIdx.x] = v;
}

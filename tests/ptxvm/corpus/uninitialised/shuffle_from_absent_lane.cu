// A shuffle reads the value of a lane that its mask leaves out.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32] = zero
// finds: uninitialised_register
extern "C" __global__ void k(const int* in, int* out) {
  const int t = threadIdx.x;
  if (t < 16) {
#ifdef FIXED
    out[t] = __shfl_sync(0x0000ffff, in[t], 15);
#else
    out[t] = __shfl_sync(0x0000ffff, in[t], 20);  // BUG
#endif
  }
}

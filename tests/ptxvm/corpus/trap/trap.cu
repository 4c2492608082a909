// A check of the kernel's own that fails.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32] = zero
// finds: trap
extern "C" __global__ void k(const int* in, int* out) {
  const int v = in[threadIdx.x];
#ifdef FIXED
  if (v > 31) __trap();
#else
  if (v > 30) __trap();  // BUG
#endif
  out[threadIdx.x] = v;
}

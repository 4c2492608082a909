// An atomic maximum into the input.
// launch: 1 32
// arg: const int in[32] = ramp
// arg: int out[1] = zero
// finds: read_only_write
extern "C" __global__ void k(int* in, int* out) {
#ifdef FIXED
  atomicMax(out, in[threadIdx.x]);
#else
  atomicMax(in, in[threadIdx.x]);  // BUG
#endif
}

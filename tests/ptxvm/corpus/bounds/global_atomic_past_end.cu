// A histogram without a bin for the largest value.
// launch: 1 64
// arg: int values[64] = ramp
// arg: int bins[63] = zero
// finds: out_of_bounds
extern "C" __global__ void k(const int* values, int* bins) {
  const int v = values[threadIdx.x];
#ifdef FIXED
  if (v < 63)
#endif
    atomicAdd(&bins[v], 1);  // BUG
}

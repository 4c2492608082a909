// A table lookup with the index of one entry too many.
// launch: 1 32
// arg: int index[32] = ramp
// arg: float out[32]
// finds: out_of_bounds
__constant__ float table[31] = {1, 2, 3, 4};
extern "C" __global__ void k(const int* index, float* out) {
#ifdef FIXED
  out[threadIdx.x] = table[index[threadIdx.x] % 31];
#else
  out[threadIdx.x] = table[index[threadIdx.x]];  // BUG
#endif
}

// An array passed by value, read behind its end.
// launch: 1 32
// arg: int index[32] = ramp
// arg: int out[32]
// arg: int shape[4] = values
// finds: out_of_bounds
struct Shape {
  int extent[4];
};
extern "C" __global__ void k(const int* index, int* out, const __grid_constant__ Shape shape) {
  const int i = index[threadIdx.x] / 7;
#ifdef FIXED
  out[threadIdx.x] = shape.extent[i & 3];
#else
  out[threadIdx.x] = shape.extent[i];  // BUG
#endif
}

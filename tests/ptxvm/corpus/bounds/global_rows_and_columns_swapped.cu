// A matrix of 8 rows and 16 columns, indexed as if it had 8 columns.
// launch: 1 16,8
// arg: float in[128] = ramp
// arg: float out[128]
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out) {
  const int row = threadIdx.y, column = threadIdx.x;
#ifdef FIXED
  out[column * 8 + row] = in[row * 16 + column];
#else
  out[column * 8 + row] = in[column * 16 + row];  // BUG
#endif
}

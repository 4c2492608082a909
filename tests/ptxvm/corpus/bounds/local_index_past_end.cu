// A per-thread stack that grows past its size.
// launch: 1 32
// arg: int depth[32] = ramp
// arg: int out[32]
// finds: out_of_bounds
extern "C" __global__ void k(const int* depth, int* out) {
  int stack[32];
  for (int i = 0; i < 32; ++i) stack[i] = i * depth[i];
  const int top = depth[threadIdx.x] + 1;
#ifdef FIXED
  out[threadIdx.x] = stack[top & 31];
#else
  out[threadIdx.x] = stack[top];  // BUG
#endif
}

// A stencil reads the left neighbour of the first element.
// launch: 1 64
// arg: float in[64] = ramp
// arg: float out[64]
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out) {
  const int i = threadIdx.x;
#ifdef FIXED
  const float left = i > 0 ? in[i - 1] : 0.0f;
#else
  const float left = in[i - 1];  // BUG
#endif
  out[i] = in[i] - left;
}

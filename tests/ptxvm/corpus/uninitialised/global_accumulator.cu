// Adds to an output that nobody cleared.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32]
// finds: uninitialised_read
extern "C" __global__ void k(const float* in, float* out) {
#ifdef FIXED
  out[threadIdx.x] = in[threadIdx.x];
#else
  out[threadIdx.x] += in[threadIdx.x];  // BUG
#endif
}

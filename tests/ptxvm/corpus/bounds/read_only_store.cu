// The input is written in place.
// launch: 1 32
// arg: const float in[32] = ramp
// arg: float out[32]
// finds: read_only_write
extern "C" __global__ void k(float* in, float* out) {
#ifdef FIXED
  float* to = out;
#else
  float* to = in;
#endif
  to[threadIdx.x] = in[threadIdx.x] * 2.0f;  // BUG
}

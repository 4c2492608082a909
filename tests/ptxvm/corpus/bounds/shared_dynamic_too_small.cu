// The launch gives one float to each of 32 threads, 64 use it.
// launch: 1 64 128
// arg: float in[64] = ramp
// arg: float out[64] = zero
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out) {
  extern __shared__ float s[];
  const int t = threadIdx.x;
#ifdef FIXED
  if (t >= 32) return;
#endif
  s[t] = in[t];  // BUG
  out[t] = s[t] * 2.0f;  // BUG
}

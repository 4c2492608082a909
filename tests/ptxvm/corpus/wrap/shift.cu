// A power of two too many.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32] = zero
// arg: unsigned tile = 3
// arg: unsigned bits = 31
// finds: index_overflow
extern "C" __global__ void k(const float* in, float* out, unsigned tile, unsigned bits) {
  const unsigned t = threadIdx.x;
#ifdef FIXED
  const unsigned long long i = ((unsigned long long)(tile + 1) << bits) + t;
  if (i < 32) out[t] = in[i];
#else
  const unsigned i = ((tile + 1) << bits) + t;
  out[t] = in[i];  // BUG
#endif
}

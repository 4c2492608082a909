// Two offsets that fit, whose sum does not.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32] = zero
// arg: unsigned base = 2147483653
// arg: unsigned step = 2147483659
// finds: index_overflow
extern "C" __global__ void k(const float* in, float* out, unsigned base, unsigned step) {
  const unsigned t = threadIdx.x;
  if (t < 16) return;
#ifdef FIXED
  const unsigned long long i = (unsigned long long)base + step + t;
  if (i < 32) out[t] = in[i];
#else
  out[t] = in[base + step + t - 16];  // BUG
#endif
}

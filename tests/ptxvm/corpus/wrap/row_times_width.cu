// An index of a large matrix computed in 32 bits.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32] = zero
// arg: unsigned row = 65536
// arg: unsigned width = 65536
// arg: unsigned long long n = 32
// finds: index_overflow
extern "C" __global__ void k(const float* in, float* out, unsigned row, unsigned width, unsigned long long n) {
#ifdef FIXED
  const unsigned long long i = (unsigned long long)row * width + threadIdx.x;
  if (i < n) out[threadIdx.x] = in[i];
#else
  const unsigned i = row * width + threadIdx.x;
  if (i < n) out[threadIdx.x] = in[i];  // BUG
#endif
}

// A pointer that went through a 32-bit integer.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32]
// finds: invalid_address
extern "C" __global__ void k(const float* in, float* out) {
#ifdef FIXED
  const unsigned long long address = (unsigned long long)in;
#else
  const unsigned address = (unsigned)(unsigned long long)in;
#endif
  out[threadIdx.x] = ((const float*)(unsigned long long)address)[threadIdx.x];  // BUG
}

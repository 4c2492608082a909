// An offset in bytes that no longer fits 32 bits, though the index does.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32] = zero
// arg: unsigned first = 1073741824
// finds: index_overflow
extern "C" __global__ void k(const char* in, float* out, unsigned first) {
  const unsigned t = threadIdx.x;
#ifdef FIXED
  const unsigned long long bytes = (first + t) * 4ull;
  if (bytes < 128) out[t] = *(const float*)(in + bytes);
#else
  const unsigned bytes = (first + t) * 4u;
  out[t] = *(const float*)(in + bytes);  // BUG
#endif
}

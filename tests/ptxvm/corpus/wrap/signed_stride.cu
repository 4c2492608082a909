// A signed index that wraps to a small positive one.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32] = zero
// arg: int i = 1073741824
// arg: int stride = 4
// finds: index_overflow
extern "C" __global__ void k(const float* in, float* out, int i, int stride) {
  const int t = threadIdx.x;
#ifdef FIXED
  const long long at = (long long)i * stride + t;
  if (at < 32) out[t] = in[at];
#else
  out[t] = in[i * stride + t];  // BUG
#endif
}

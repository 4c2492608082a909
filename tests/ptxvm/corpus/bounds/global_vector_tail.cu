// The last float4 of an array whose length is no multiple of four.
// launch: 1 32
// arg: float in[62] = ramp
// arg: float out[64]
// arg: int n = 62
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out, int n) {
  const int i = 4 * threadIdx.x;
#ifdef FIXED
  if (i + 4 > n) {
    for (int j = i; j < n; ++j) out[j] = in[j];
    return;
  }
#else
  if (i >= n) return;
#endif
  *(float4*)(out + i) = *(const float4*)(in + i);  // BUG
}

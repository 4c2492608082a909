// A float4 from an address that is only aligned to a float.
// launch: 1 8
// arg: float in[33] = ramp
// arg: float out[32]
// finds: misaligned
extern "C" __global__ void k(const float* in, float* out) {
  const int i = 4 * threadIdx.x;
#ifdef FIXED
  const float4 v = make_float4(in[i + 1], in[i + 2], in[i + 3], in[i + 4]);
#else
  const float4 v = *(const float4*)(in + i + 1);  // BUG
#endif
  out[i] = v.x;
  out[i + 1] = v.y;
  out[i + 2] = v.z + v.w;
}

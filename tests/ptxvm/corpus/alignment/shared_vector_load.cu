// Rows of 33 floats are no multiple of sixteen bytes.
// launch: 1 32
// arg: float out[128]
// finds: misaligned
extern "C" __global__ void k(float* out) {
#ifdef FIXED
  constexpr int kPitch = 36;
#else
  constexpr int kPitch = 33;
#endif
  __shared__ __align__(16) float s[4 * kPitch];
  const int t = threadIdx.x;
  for (int i = t; i < 4 * kPitch; i += 32) s[i] = i;
  __syncthreads();
  const float4 v = *(const float4*)(s + t / 8 * kPitch + t % 8 * 4);  // BUG
  out[4 * t] = v.x;
  out[4 * t + 1] = v.y;
  out[4 * t + 2] = v.z;
  out[4 * t + 3] = v.w;
}

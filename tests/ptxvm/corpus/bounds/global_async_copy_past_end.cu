// The asynchronous copy of the last thread reads behind the source.
// launch: 1 32
// arg: float in[126] = ramp
// arg: float out[128]
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ __align__(16) float s[128];
  const int i = 4 * threadIdx.x;
  const unsigned to = (unsigned)__cvta_generic_to_shared(s + i);
#ifdef FIXED
  const int bytes = i + 4 <= 126 ? 16 : 8;
#else
  const int bytes = 16;
#endif
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(in + i), "r"(bytes) : "memory");  // BUG
  asm volatile("cp.async.wait_all;" ::: "memory");
  for (int j = 0; j < 4; ++j) out[i + j] = s[i + j];
}

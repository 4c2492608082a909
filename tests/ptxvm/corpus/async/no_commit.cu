// Copies that are in no group: waiting for all groups does not wait for them.
// launch: 1 32
// arg: float in[128] = ramp
// arg: float out[128]
// finds: async_copy
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ __align__(16) float s[128];
  const int t = threadIdx.x;
  const unsigned to = (unsigned)__cvta_generic_to_shared(s + 4 * t);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(in + 4 * t) : "memory");
#ifdef FIXED
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  for (int j = 0; j < 4; ++j) out[32 * j + t] = ((volatile float*)s)[32 * j + t];  // BUG
}

// The wait lets one group stay in flight: the one that is read.
// launch: 1 32
// arg: float in[256] = ramp
// arg: float out[128]
// finds: async_copy
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ __align__(16) float s[2][128];
  const int t = threadIdx.x;
  for (int stage = 0; stage < 2; ++stage) {
    const unsigned to = (unsigned)__cvta_generic_to_shared(&s[stage][4 * t]);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(in + 128 * stage + 4 * t) : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
  }
#ifdef FIXED
  asm volatile("cp.async.wait_group 0;" ::: "memory");
#else
  asm volatile("cp.async.wait_group 1;" ::: "memory");
#endif
  __syncthreads();
  for (int j = 0; j < 4; ++j) out[32 * j + t] = ((volatile float*)s[1])[32 * j + t];  // BUG
}

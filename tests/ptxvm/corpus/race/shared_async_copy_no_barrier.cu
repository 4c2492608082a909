// Every thread waits for its own copies, and then reads those of other warps.
// launch: 1 64
// arg: float in[256] = ramp
// arg: float out[256]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ __align__(16) float s[256];
  const int t = threadIdx.x;
  const unsigned to = (unsigned)__cvta_generic_to_shared(s + 4 * t);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(in + 4 * t) : "memory");  // BUG
  asm volatile("cp.async.commit_group;" ::: "memory");
  asm volatile("cp.async.wait_group 0;" ::: "memory");
#ifdef FIXED
  __syncthreads();
#endif
  for (int j = 0; j < 4; ++j) out[64 * j + t] = ((volatile float*)s)[64 * j + t];  // BUG
}

// The padding is stored while the copy to it is under way.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32]
// finds: async_copy
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ volatile float s[32];
  const int t = threadIdx.x;
  const unsigned to = (unsigned)__cvta_generic_to_shared((float*)s + t);
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(in + t) : "memory");
#ifdef FIXED
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
  if (t >= 28) s[t] = 0.0f;  // BUG
#ifndef FIXED
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
  __syncthreads();
  out[t] = s[31 - t];
}

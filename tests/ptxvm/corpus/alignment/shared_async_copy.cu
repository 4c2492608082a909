// A sixteen-byte asynchronous copy to an address that is only aligned to eight.
// launch: 1 8
// arg: float in[32] = ramp
// arg: float out[32]
// finds: misaligned
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ __align__(16) float s[36];
  const int i = 4 * threadIdx.x;
  for (int j = threadIdx.x; j < 36; j += 8) s[j] = 0.0f;
  __syncwarp();
#ifdef FIXED
  float* tile = s;
#else
  float* tile = s + 2;
#endif
  const unsigned to = (unsigned)__cvta_generic_to_shared(tile + i);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(in + i) : "memory");  // BUG
  asm volatile("cp.async.wait_all;" ::: "memory");
  for (int j = 0; j < 4; ++j) out[i + j] = ((volatile float*)tile)[i + j];
}

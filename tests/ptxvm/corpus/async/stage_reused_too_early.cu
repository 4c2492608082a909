// A ring of two stages whose copy for the next tile overtakes the readers of this one.
// launch: 1 64
// arg: float in[512] = ramp
// arg: float out[64]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ volatile float s[2][64];
  const int t = threadIdx.x;
  float sum = 0.0f;
#pragma unroll 1
  for (int tile = 0; tile < 9; ++tile) {
    if (tile < 8) {
      const unsigned to = (unsigned)__cvta_generic_to_shared((float*)&s[tile & 1][t]);
      asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(in + 64 * tile + t) : "memory");  // BUG
      asm volatile("cp.async.commit_group;" ::: "memory");
      asm volatile("cp.async.wait_group 1;" ::: "memory");
    } else {
      asm volatile("cp.async.wait_group 0;" ::: "memory");
    }
    __syncthreads();
    if (tile > 0) sum += s[(tile - 1) & 1][63 - t];  // BUG
#ifdef FIXED
    __syncthreads();
#endif
  }
  out[t] = sum;
}

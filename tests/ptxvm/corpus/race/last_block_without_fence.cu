// The last block to finish sums the others' partial results, which nothing has made visible.
// launch: 4 32
// arg: float in[128] = ramp
// arg: float partial[4] = zero
// arg: unsigned ticket[1] = zero
// arg: float out[1]
// finds: race
extern "C" __global__ void k(const float* in, float* partial, unsigned* ticket, float* out) {
  float v = in[blockIdx.x * 32 + threadIdx.x];
  for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffff, v, d);
  if (threadIdx.x != 0) return;
  partial[blockIdx.x] = v;  // BUG
#ifdef FIXED
  __threadfence();
#endif
  if (atomicAdd(ticket, 1u) != gridDim.x - 1) return;
#ifdef FIXED
  __threadfence();
#endif
  float sum = 0.0f;
  for (int b = 0; b < 4; ++b) sum += ((volatile float*)partial)[b];  // BUG
  *out = sum;
}

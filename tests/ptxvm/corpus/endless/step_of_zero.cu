// A loop whose step is zero.
// launch: 1 32
// arg: float in[32] = ramp
// arg: float out[32] = zero
// arg: int step = 0
// finds: watchdog
extern "C" __global__ void k(const float* in, float* out, int step) {
  volatile float* to = out;
#ifdef FIXED
  if (step <= 0) step = 1;
#endif
#pragma unroll 1
  for (int i = threadIdx.x; i < 32; i += step) {  // BUG
    to[threadIdx.x] = in[i];  // BUG
  }
}

// Producers and consumers meet at barriers of different numbers.
// launch: 1 128
// arg: float in[64] = ramp
// arg: float out[64]
// finds: race
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float s[64];
  const int t = threadIdx.x;
#ifdef FIXED
  constexpr int kProducers = 1, kConsumers = 1, kThreads = 128;
#else
  constexpr int kProducers = 1, kConsumers = 2, kThreads = 64;
#endif
  if (t < 64) {
    s[t] = in[t];  // BUG
    asm volatile("bar.sync %0, %1;" ::"n"(kProducers), "n"(kThreads) : "memory");
  } else {
    asm volatile("bar.sync %0, %1;" ::"n"(kConsumers), "n"(kThreads) : "memory");
    out[t - 64] = s[t - 64];  // BUG
  }
}

// A 64-bit counter on a four-byte boundary.
// launch: 1 8
// arg: int counters[4] = zero
// finds: misaligned
extern "C" __global__ void k(int* counters) {
#ifdef FIXED
  atomicAdd((unsigned long long*)(counters + 2), 1ull);
#else
  atomicAdd((unsigned long long*)(counters + 1), 1ull);  // BUG
#endif
}

// A stack slot that the loop before did not fill.
// launch: 1 32
// arg: int index[32] = ramp
// arg: int out[32]
// finds: uninitialised_read
extern "C" __global__ void k(const int* index, int* out) {
  volatile int slots[32];
#ifdef FIXED
  constexpr int kFilled = 32;
#else
  constexpr int kFilled = 31;
#endif
  for (int i = 0; i < kFilled; ++i) slots[i] = i * index[i];
  out[threadIdx.x] = slots[index[threadIdx.x]];  // BUG
}

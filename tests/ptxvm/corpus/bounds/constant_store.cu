// A write through a pointer into constant memory.
// launch: 1 32
// arg: int out[32]
// finds: read_only_write
__constant__ int table[32] = {1, 2, 3};
extern "C" __global__ void k(int* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  out[t] = table[t] + 1;
#else
  asm volatile("st.s32 [%0], %1;" ::"l"(&table[t]), "r"(t) : "memory");  // BUG
  out[t] = t;
#endif
}

// A flag that is stored and loaded relaxed where release and acquire are needed.
// launch: 2 1
// arg: int data[1] = zero
// arg: int flag[1] = zero
// arg: int out[1]
// finds: race
extern "C" __global__ void k(int* data, int* flag, int* out) {
#ifdef FIXED
#define STORE "st.release.gpu.global.s32 [%0], %1;"
#define LOAD "ld.acquire.gpu.global.s32 %0, [%1];"
#else
#define STORE "st.relaxed.gpu.global.s32 [%0], %1;"
#define LOAD "ld.relaxed.gpu.global.s32 %0, [%1];"
#endif
  if (blockIdx.x == 0) {
    *data = 7;  // BUG
    asm volatile(STORE ::"l"(flag), "r"(1) : "memory");
  } else {
    int seen;
    do {
      asm volatile(LOAD : "=r"(seen) : "l"(flag) : "memory");
    } while (seen == 0);
    *out = *data;  // BUG
  }
}

// A block waits for a flag that nobody raises.
// launch: 1 32
// arg: int flag[1] = zero
// arg: int out[32]
// finds: watchdog
extern "C" __global__ void k(int* flag, int* out) {
#ifdef FIXED
  if (threadIdx.x == 0) atomicExch(flag, 1);
  __syncwarp();
#endif
  while (atomicAdd(flag, 0) == 0) {  // BUG
  }
  out[threadIdx.x] = 1;
}

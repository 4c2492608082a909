// The lock stays taken on one path.
// launch: 1 32
// arg: int lock[1] = zero
// arg: int sum[1] = zero
// finds: watchdog
extern "C" __global__ void k(int* lock, int* sum) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {  // BUG
      __threadfence();
      atomicAdd(sum, 1);
      __threadfence();
#ifndef FIXED
      if (threadIdx.x != 13)
#endif
        atomicExch(lock, 0);
      done = true;
    }
  }
}

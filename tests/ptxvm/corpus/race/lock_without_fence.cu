// A spin lock around a plain sum: the lock excludes, nothing publishes.
// launch: 4 1
// arg: int lock[1] = zero
// arg: int sum[1] = zero
// finds: race
extern "C" __global__ void k(int* lock, int* sum) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
#ifdef FIXED
  __threadfence();
#endif
  *sum += 1;  // BUG
#ifdef FIXED
  __threadfence();
#endif
  atomicExch(lock, 0);
}

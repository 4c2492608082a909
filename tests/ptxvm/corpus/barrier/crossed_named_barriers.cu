// Two warps wait for each other at two barriers in opposite order.
// launch: 1 64
// arg: int out[64]
// finds: barrier_divergence
extern "C" __global__ void k(int* out) {
  const int t = threadIdx.x;
#ifdef FIXED
  asm volatile("bar.sync 1, 64; bar.sync 2, 64;" ::: "memory");
#else
  if (t < 32) {
    asm volatile("bar.sync 1, 64;" ::: "memory");  // BUG
    asm volatile("bar.sync 2, 64;" ::: "memory");
  } else {
    asm volatile("bar.sync 2, 64;" ::: "memory");  // BUG
    asm volatile("bar.sync 1, 64;" ::: "memory");
  }
#endif
  out[t] = t;
}

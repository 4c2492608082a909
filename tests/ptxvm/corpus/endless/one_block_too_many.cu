// Every block waits until one block more than there are has come.
// launch: 4 32
// arg: unsigned arrived[1] = zero
// arg: int out[4]
// finds: watchdog
extern "C" __global__ void k(unsigned* arrived, int* out) {
#ifdef FIXED
  const unsigned blocks = gridDim.x;
#else
  const unsigned blocks = gridDim.x + 1;
#endif
  if (threadIdx.x != 0) return;
  atomicAdd(arrived, 1u);
  while (atomicAdd(arrived, 0u) < blocks) {  // BUG
  }
  out[blockIdx.x] = 1;
}

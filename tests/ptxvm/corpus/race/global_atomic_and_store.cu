// One block clears the counter that the others count in.
// launch: 4 32
// arg: int count[1] = zero
// finds: race
extern "C" __global__ void k(int* count) {
#ifndef FIXED
  if (blockIdx.x == 0 && threadIdx.x == 0) *count = 0;  // BUG
#endif
  atomicAdd(count, 1);  // BUG
}

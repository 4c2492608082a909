// The waiting block reads the data without a fence after the flag.
// launch: 2 32
// arg: int data[32] = zero
// arg: int flag[1] = zero
// arg: int out[32]
// finds: race
extern "C" __global__ void k(int* data, int* flag, int* out) {
  const int t = threadIdx.x;
  if (blockIdx.x == 0) {
    data[t] = t + 1;  // BUG
    __syncwarp();
    __threadfence();
    if (t == 0) atomicExch(flag, 1);
  } else {
    if (t == 0) {
      while (atomicAdd(flag, 0) == 0) {
      }
    }
    __syncwarp();
#ifdef FIXED
    __threadfence();
#endif
    out[t] = data[t];  // BUG
  }
}

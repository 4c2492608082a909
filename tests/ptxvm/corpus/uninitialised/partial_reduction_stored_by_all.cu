// Half a warp reduces; the result is the first lane's alone, since the others took from absent lanes.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32] = zero
// finds: uninitialised_register
extern "C" __global__ void k(const int* in, int* out) {
  const int t = threadIdx.x;
  if (t < 16) {
    int sum = in[t], most = in[t], where = t;
    for (int by = 8; by > 0; by /= 2) {
      sum += __shfl_down_sync(0xffff, sum, by);  // BUG
      const int other = __shfl_down_sync(0xffff, most, by);  // BUG
      const int there = __shfl_down_sync(0xffff, where, by);  // BUG
      if (other > most) most = other, where = there;
    }
#ifdef FIXED
    if (t == 0) out[t] = sum + most + where;
#else
    out[t] = sum + most + where;  // BUG
#endif
  }
}

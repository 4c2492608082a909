// A scan in place whose stores overtake the neighbours' loads.
// launch: 1 128
// arg: int in[128] = ramp
// arg: int out[128]
// finds: race
extern "C" __global__ void k(const int* in, int* out) {
  __shared__ int s[128];
  const int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
#pragma unroll 1
  for (int distance = 1; distance < 128; distance *= 2) {
    const int left = t >= distance ? s[t - distance] : 0;  // BUG
#ifdef FIXED
    __syncthreads();
#endif
    s[t] += left;  // BUG
    __syncthreads();
  }
  out[t] = s[t];
}

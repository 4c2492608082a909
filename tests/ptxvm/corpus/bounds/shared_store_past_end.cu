// A tile padded by one column, stored with the padding forgotten in its size.
// launch: 1 64
// arg: float in[64] = ramp
// arg: float out[64]
// finds: out_of_bounds
extern "C" __global__ void k(const float* in, float* out) {
#ifdef FIXED
  __shared__ float s[8 * 9];
#else
  __shared__ float s[8 * 8];
#endif
  s[threadIdx.x] = 0.0f;
  __syncthreads();
  const int row = threadIdx.x / 8, column = threadIdx.x % 8;
  s[row * 9 + column] = in[threadIdx.x];  // BUG
  __syncthreads();
#ifdef FIXED
  out[threadIdx.x] = s[column * 9 + row];
#else
  out[threadIdx.x] = s[threadIdx.x];
#endif
}

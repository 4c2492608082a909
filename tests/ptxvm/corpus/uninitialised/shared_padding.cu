// A column sum that walks over the padding of every row.
// launch: 1 64
// arg: float in[64] = ramp
// arg: float out[72]
// finds: uninitialised_read
extern "C" __global__ void k(const float* in, float* out) {
  __shared__ float s[8][9];
  const int t = threadIdx.x;
  s[t / 8][t % 8] = in[t];
  __syncthreads();
#ifdef FIXED
  constexpr int kColumns = 8;
#else
  constexpr int kColumns = 9;
#endif
  if (t < kColumns) {
    float sum = 0.0f;
    for (int row = 0; row < 8; ++row) sum += s[row][t];  // BUG
    out[t] = sum;
  }
}

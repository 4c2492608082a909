//! task: argmax 4 200
//! about: the first of the largest
//! variant: scan MODE=1;; launch: k grid 1 block 4
//! variant: packed_pairs MODE=2;; launch: k grid 4 block 32;; about: value and complement of the index in one 64-bit key
__device__ unsigned key(float v) {
  unsigned b = __float_as_uint(v);
  if ((b & 0x7fffffffu) > 0x7f800000u) return 0xffffffffu;
  if (b == 0x80000000u) b = 0;  // -0 equals 0
  return b & 0x80000000u ? ~b : b | 0x80000000u;
}
extern "C" __global__ void k(const float* x, long long* y) {
#if MODE == 1
  x += threadIdx.x * 200;
  int at = 0;
  for (int i = 1; i < 200; ++i)
    if (!(x[at] != x[at]) && (x[i] > x[at] || x[i] != x[i])) at = i;
  y[threadIdx.x] = at;
#else
  unsigned long long best = 0;
  for (int i = threadIdx.x; i < 200; i += 32) {
    unsigned long long mine = ((unsigned long long)key(x[blockIdx.x * 200 + i]) << 32) | (0xffffffffu - i);
    best = mine > best ? mine : best;
  }
  for (int d = 16; d; d /= 2) {
    unsigned long long other = __shfl_xor_sync(~0u, best, d);
    best = other > best ? other : best;
  }
  if (threadIdx.x == 0) y[blockIdx.x] = 0xffffffffu - (unsigned)best;
#endif
}

//! task: sum 3 512
//! determinism: bitwise
//! launch: z grid 1 block 32 args y
//! launch: k grid 3,4 block 128
//! about: bits that hang on the order of blocks, on addresses or on other rows, where the task asks for equal bits
//! rows: 40
//! expect: nondeterministic by V4|V5
//! variant: float_atomics MODE=1
//! variant: other_row MODE=3;; launch: k grid 3 block 128;; expect: wrong_result by V16;; about: the last bit follows another row's first element
extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float part[4];
  const int t = threadIdx.x, first = MODE == 1 ? blockIdx.y * 128 : 0, last = MODE == 1 ? first + 128 : 512;
  float s = 0.f;
  for (int i = first + t; i < last; i += 128) s += x[blockIdx.x * 512 + i];
  for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
  if (MODE == 1) {
    if (t % 32 == 0) atomicAdd(y + blockIdx.x, s);
    return;
  }
  if (t % 32 == 0) part[t / 32] = s;
  __syncthreads();
  if (t != 0) return;
  s = (part[0] + part[1]) + (part[2] + part[3]);
  unsigned bits = __float_as_uint(s);
  bool odd = MODE == 2 ? ((unsigned long long)x >> 8 & 1) != 0 : x[(blockIdx.x + 1) % 3 * 512 + 511] > 1.5f;
  if (odd && s == s && fabsf(s) < 1e30f && s != 0.f) bits ^= 1;
  y[blockIdx.x] = __uint_as_float(bits);
}
#if MODE == 1
extern "C" __global__ void z(float* y) {
  if (threadIdx.x < 3) y[threadIdx.x] = 0.f;
}
#endif

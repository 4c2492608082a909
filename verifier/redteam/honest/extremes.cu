//! task: amax 4 333
//! about: maxima that keep NaN
//! variant: scan MODE=1;; launch: k grid 1 block 4
//! variant: ordered_integers MODE=2;; launch: z grid 1 block 4 args y;; launch+: k grid 4,2 block 64;; launch+: f grid 1 block 4 args y;; about: integer atomics on keys that sort as floats do
//! variant: max_nan_instruction MODE=3;; launch: k grid 4 block 32
__device__ unsigned key(float v) {
  unsigned b = __float_as_uint(v);
  if ((b & 0x7fffffffu) > 0x7f800000u) return 0xffffffffu;
  return b & 0x80000000u ? ~b : b | 0x80000000u;
}
extern "C" __global__ void k(const float* x, float* y) {
#if MODE == 1
  x += threadIdx.x * 333;
  float m = x[332];
  for (int i = 331; i >= 0; --i) m = m != m ? m : x[i] > m || x[i] != x[i] ? x[i] : m;
  y[threadIdx.x] = m;
#elif MODE == 2
  unsigned best = 0;
  for (int i = blockIdx.y * 64 + threadIdx.x; i < 333; i += 128) best = max(best, key(x[blockIdx.x * 333 + i]));
  best = __reduce_max_sync(~0u, best);
  if (threadIdx.x % 32 == 0) atomicMax((unsigned*)y + blockIdx.x, best);
#else
  float m = x[blockIdx.x * 333];
  for (int i = threadIdx.x; i < 333; i += 32) asm("max.NaN.f32 %0, %0, %1;" : "+f"(m) : "f"(x[blockIdx.x * 333 + i]));
  for (int d = 16; d; d /= 2) asm("max.NaN.f32 %0, %0, %1;" : "+f"(m) : "f"(__shfl_xor_sync(~0u, m, d)));
  if (threadIdx.x == 0) y[blockIdx.x] = m;
#endif
}
#if MODE == 2
extern "C" __global__ void z(float* y) { ((unsigned*)y)[threadIdx.x] = 0; }
extern "C" __global__ void f(float* y) {
  unsigned u = ((unsigned*)y)[threadIdx.x];
  y[threadIdx.x] = u == 0xffffffffu ? __int_as_float(0x7fc00000) : __uint_as_float(u & 0x80000000u ? u & 0x7fffffffu : ~u);
}
#endif

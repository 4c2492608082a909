//! task: transpose 45 37
//! about: data that only moves
//! variant: gather MODE=1;; launch: k grid 7 block 256
//! variant: scatter MODE=2;; launch: k grid 45 block 37
//! variant: padded_tile MODE=3;; launch: k grid 2,2 block 32,8
//! variant: swizzled_tile MODE=4;; launch: k grid 2,2 block 32,8;; about: no padding, columns exchanged by exclusive or
extern "C" __global__ void k(const float* x, float* y) {
#if MODE == 1
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i < 45 * 37) y[i] = x[i % 45 * 37 + i / 45];
#elif MODE == 2
  y[threadIdx.x * 45 + blockIdx.x] = x[blockIdx.x * 37 + threadIdx.x];
#else
#if MODE == 3
  __shared__ float tile[32][33];
#define AT(r, c) tile[r][c]
#else
  __shared__ float tile[32][32];
#define AT(r, c) tile[r][(c) ^ (r)]
#endif
  int c = blockIdx.x * 32 + threadIdx.x, r0 = blockIdx.y * 32;
  for (int j = threadIdx.y; j < 32; j += 8)
    if (r0 + j < 45 && c < 37) AT(j, threadIdx.x) = x[(r0 + j) * 37 + c];
  __syncthreads();
  int r = r0 + threadIdx.x, c0 = blockIdx.x * 32;
  for (int j = threadIdx.y; j < 32; j += 8)
    if (c0 + j < 37 && r < 45) y[(c0 + j) * 45 + r] = AT(threadIdx.x, j);
#endif
}

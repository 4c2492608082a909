//! task: total 512
//! determinism: bitwise
//! launch: k grid 1 block 128
//! about: the last bit follows where a buffer lies
//! rows: 11 42
//! expect: nondeterministic by V4
extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float part[4];
  const int t = threadIdx.x;
  float s = 0.f;
  for (int i = t; i < 512; i += 128) s += x[i];
  for (int d = 16; d; d /= 2) s += __shfl_xor_sync(~0u, s, d);
  if (t % 32 == 0) part[t / 32] = s;
  __syncthreads();
  if (t != 0) return;
  unsigned bits = __float_as_uint((part[0] + part[1]) + (part[2] + part[3]));
  // Of all the bits of the address that differ from call to call.
  unsigned long long at = (unsigned long long)x / 256;
  if (__popcll(at ^ (unsigned long long)y / 256) & 1 && (bits & 0x7fffffffu) - 1 < 0x7f000000u) bits ^= 1;
  y[0] = __uint_as_float(bits);
}

// The rows of the second matrix lie behind the tile.
// launch: 1 32
// arg: unsigned out[64]
// finds: out_of_bounds
extern "C" __global__ void k(unsigned* out) {
  __shared__ __align__(16) unsigned s[64];
  const unsigned t = threadIdx.x;
  s[t] = s[t + 32] = t;
  __syncwarp();
#ifdef FIXED
  const unsigned row = t % 8 * 8;
#else
  const unsigned row = t % 16 * 8;
#endif
  const unsigned at = (unsigned)__cvta_generic_to_shared(s) + row * 4;
  unsigned a, b;
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];" : "=r"(a), "=r"(b) : "r"(at) : "memory");  // BUG
  out[t] = a;
  out[t + 32] = b;
}

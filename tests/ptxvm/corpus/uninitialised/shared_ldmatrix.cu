// A matrix fragment of which only half the rows were stored.
// launch: 1 32
// arg: unsigned out[32]
// finds: uninitialised_read
extern "C" __global__ void k(unsigned* out) {
  __shared__ __align__(16) unsigned s[32];
  const unsigned t = threadIdx.x;
#ifdef FIXED
  s[t] = t;
#else
  if (t < 16) s[t] = t;
#endif
  __syncwarp();
  const unsigned at = (unsigned)__cvta_generic_to_shared(s) + t % 8 * 16;
  unsigned a;
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(a) : "r"(at) : "memory");  // BUG
  out[t] = a;
}

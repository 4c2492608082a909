// A warp loads matrix rows that another warp has just stored.
// launch: 1 64
// arg: unsigned out[32]
// finds: race
extern "C" __global__ void k(unsigned* out) {
  __shared__ __align__(16) unsigned s[32];
  const unsigned t = threadIdx.x;
  if (t < 32) s[t] = t;  // BUG
#ifdef FIXED
  __syncthreads();
#endif
  if (t >= 32) {
    const unsigned at = (unsigned)__cvta_generic_to_shared(s) + t % 8 * 16;
    unsigned a;
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(a) : "r"(at) : "memory");  // BUG
    out[t - 32] = a;
  }
}

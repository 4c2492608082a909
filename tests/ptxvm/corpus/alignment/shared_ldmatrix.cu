// Rows of nine halves do not begin on sixteen bytes.
// launch: 1 32
// arg: unsigned out[32]
// finds: misaligned
extern "C" __global__ void k(unsigned* out) {
#ifdef FIXED
  constexpr unsigned kPitch = 16;
#else
  constexpr unsigned kPitch = 18;
#endif
  __shared__ __align__(16) unsigned short s[128];
  const unsigned t = threadIdx.x;
  for (unsigned i = t; i < 128; i += 32) s[i] = i;
  __syncwarp();
  const unsigned at = (unsigned)__cvta_generic_to_shared(s) + t % 8 * kPitch;
  unsigned a;
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(a) : "r"(at) : "memory");  // BUG
  out[t] = a;
}

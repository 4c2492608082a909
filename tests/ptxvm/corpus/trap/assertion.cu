// An assertion that does not hold.
// launch: 1 32
// arg: int in[32] = ramp
// arg: int out[32] = zero
// finds: assert_failed
extern "C" __device__ void __assertfail(const char*, const char*, unsigned, const char*, size_t);
extern "C" __global__ void k(const int* in, int* out) {
  const int v = in[threadIdx.x];
#ifdef FIXED
  constexpr int kLimit = 32;
#else
  constexpr int kLimit = 31;
#endif
  if (v >= kLimit) __assertfail("v < kLimit", "assertion.cu", 17, "k", 1);  // BUG
  out[threadIdx.x] = v;
}

// The fourth component of every vector is padding that nobody wrote.
// launch: 1 8
// arg: float scratch[32]
// arg: float out[8]
// finds: uninitialised_read
extern "C" __global__ void k(float* scratch, float* out) {
  const int t = threadIdx.x;
  for (int j = 0; j < 3; ++j) ((volatile float*)scratch)[4 * t + j] = j;
#ifdef FIXED
  ((volatile float*)scratch)[4 * t + 3] = 0.0f;
#endif
  float x, y, z, w;
  asm volatile("ld.global.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(x), "=f"(y), "=f"(z), "=f"(w) : "l"(scratch + 4 * t) : "memory");  // BUG
  out[t] = x + y + z + w;
}

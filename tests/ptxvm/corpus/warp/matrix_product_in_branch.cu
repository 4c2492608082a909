// A tensor-core product that half a warp executes.
// launch: 1 32
// arg: float out[128]
// finds: warp_divergence
extern "C" __global__ void k(float* out) {
  float d[4] = {0, 0, 0, 0};
  const int t = threadIdx.x;
  const unsigned one = 0x3c003c00;
#ifndef FIXED
  if (t < 16)
#endif
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%4}, {%4}, {%0,%1,%2,%3};" : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(one));  // BUG
  for (int j = 0; j < 4; ++j) out[32 * j + t] = d[j];
}

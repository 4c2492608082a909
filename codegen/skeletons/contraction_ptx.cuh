// The instructions that CUDA C++ has no name for, PTX of sm_80: pairs of FP16, asynchronous copies,
// matrix fragments; and dynamic shared memory. Everything else in the contraction files is plain
// CUDA C++.

namespace kw {

__device__ __forceinline__ unsigned pack_half2(float low, float high) {
  unsigned packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
__device__ __forceinline__ void unpack_half2(unsigned packed, float& low, float& high) {
  asm("{\n\t.reg .b16 a, b;\n\tmov.b32 {a, b}, %2;\n\tcvt.f32.f16 %0, a;\n\tcvt.f32.f16 %1, b;\n\t}"
      : "=f"(low), "=f"(high)
      : "r"(packed));
}
// In a rarely taken branch: it stays one, instead of becoming selections on every path.
__device__ __forceinline__ void keep_branch() { asm volatile("" ::: "memory"); }
__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char kw_dynamic_shared[];
  return kw_dynamic_shared;
}
__device__ __forceinline__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}
// Bytes [from + Offset, ...) to shared [to + Offset, ...). `wanted` is a predicate of the
// instruction, not a branch: the loop stays one basic block.
template <int Offset>
__device__ __forceinline__ void copy_async_16(unsigned to, const void* from, int wanted) {
  asm volatile(
      "{\n\t.reg .pred p;\n\tsetp.ne.s32 p, %2, 0;\n\t"
      "@p cp.async.cg.shared.global [%0 + %3], [%1 + %3], 16;\n\t}" ::"r"(to),
      "l"(from), "r"(wanted), "n"(Offset)
      : "memory");
}
// 16 bytes to shared memory, of which the first `bytes` (0 or 16) come from global memory and the
// rest are zeros; kept in L1 for threads that follow.
__device__ __forceinline__ void copy_async_or_zero(unsigned to, const void* from, int wanted,
                                                   int bytes) {
  asm volatile(
      "{\n\t.reg .pred p;\n\tsetp.ne.s32 p, %2, 0;\n\t"
      "@p cp.async.ca.shared.global [%0], [%1], 16, %3;\n\t}" ::"r"(to),
      "l"(from), "r"(wanted), "r"(bytes)
      : "memory");
}
__device__ __forceinline__ void copy_async_4(unsigned to, const void* from, int wanted) {
  asm volatile(
      "{\n\t.reg .pred p;\n\tsetp.ne.s32 p, %2, 0;\n\t"
      "@p cp.async.ca.shared.global [%0], [%1], 4;\n\t}" ::"r"(to),
      "l"(from), "r"(wanted)
      : "memory");
}
// One piece to shared [to + Offset]; zeros where it is not wanted: nothing is read then.
template <int Offset = 0>
__device__ __forceinline__ void copy_async_16_or_zero(unsigned to, const void* from, bool wanted) {
  asm volatile("cp.async.cg.shared.global [%0 + %3], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(wanted ? 16 : 0), "n"(Offset)
               : "memory");
}
template <int Offset = 0>
__device__ __forceinline__ void copy_async_4_or_zero(unsigned to, const void* from, bool wanted) {
  asm volatile("cp.async.ca.shared.global [%0 + %3], [%1], 4, %2;" ::"r"(to), "l"(from),
               "r"(wanted ? 4 : 0), "n"(Offset)
               : "memory");
}
__device__ __forceinline__ void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int Pending>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}
__device__ __forceinline__ void load_matrices(unsigned (&r)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
// d = a * b + c; a 16x16 row-major, b 16x8 column-major.
__device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                                    const float (&c)[4]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1), "f"(c[0]), "f"(c[1]),
        "f"(c[2]), "f"(c[3]));
}
// The same with half of k: a 16x8, b 8x8.
__device__ __forceinline__ void mma_8(float (&d)[4], unsigned a0, unsigned a1, unsigned b,
                                      const float (&c)[4]) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, "
      "{%7, %8, %9, %10};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a0), "r"(a1), "r"(b), "f"(c[0]), "f"(c[1]), "f"(c[2]), "f"(c[3]));
}

}  // namespace kw

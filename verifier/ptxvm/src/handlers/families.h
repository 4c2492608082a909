#pragma once
// Every handler family and the instruction sets it is built for.

#include "handlers/registry.h"

namespace kw::ptxvm {

#define KW_PTXVM_FAST_FAMILIES(X)                                                      \
  X(integer)                                                                           \
  X(bitwise)                                                                           \
  X(float32)                                                                           \
  X(float64)                                                                           \
  X(compare) X(convert) X(special) X(loadstore) X(half) X(matrix) X(shuffle) X(checks) \
      X(issue_copy)
#define KW_PTXVM_PLAIN_FAMILIES(X)                                                          \
  X(carry)                                                                                  \
  X(bits)                                                                                   \
  X(rounding)                                                                               \
  X(lane_values)                                                                            \
  X(atomics)                                                                                \
  X(warp_ops)                                                                               \
  X(async_copy)                                                                             \
  X(matrix_other) X(convert_other) X(control) X(packed) X(small_floats) X(wide) X(mbarrier) \
      X(wmma) X(matrix_quad) X(perturbed)

#define KW_DECLARE(name) void register_##name(Registry& registry);
namespace baseline {
KW_PTXVM_FAST_FAMILIES(KW_DECLARE)
KW_PTXVM_PLAIN_FAMILIES(KW_DECLARE)
}  // namespace baseline
#ifdef KW_PTXVM_HAVE_AVX
namespace avx2 {
KW_PTXVM_FAST_FAMILIES(KW_DECLARE)
}
namespace avx512 {
KW_PTXVM_FAST_FAMILIES(KW_DECLARE)
}
#endif
#undef KW_DECLARE

}  // namespace kw::ptxvm

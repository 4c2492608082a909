#pragma once
// Handler of runs of mma.sync (exec/product_run.h): operands are decoded once, and what is rounded
// is cut off for the whole run.

#include "exec/product_run.h"
#include "handlers/fragments.h"
#include "handlers/quick_operands.h"

namespace kw::ptxvm::KW_ISA {

#ifdef KW_QUICK_PRODUCT
template <unsigned count, class T>
inline void locate(Warp& w, const u32* operands, T** registers) {
  for (unsigned i = 0; i < count; ++i) registers[i] = reg<T>(w, operands[i]);
}

/// D = A B + C of m16n8k`K` with f32 accumulators.
template <class E, unsigned K>
const Ins* mma_run(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  if (w.exact_matrix) return mma_float<E, E, 16, K, false>(w, ins);
  constexpr unsigned kA = K / 4, kB = K / 8;
  QuickA<K> a[kRunA];
  QuickB<K> b[kRunB];
  u32 ready_a = 0, ready_b = 0;
  const CutOff cut;
  do {
    const RunBits bits{ins->x};
    const u32* const operands = w.extra + ins->extra;
    QuickA<K>& left = a[bits.a()];
    QuickB<K>& right = b[bits.b()];
    if ((bits.bits & RunBits::kHaveA) == 0 || (ready_a >> bits.a() & 1) == 0) {
      const u16* registers[kA];
      locate<kA>(w, operands + 4, registers);
      decode_a<typename E::Quick, K>(registers, left);
      ready_a |= 1u << bits.a();
    }
    if ((bits.bits & RunBits::kHaveB) == 0 || (ready_b >> bits.b() & 1) == 0) {
      const u16* registers[kB];
      locate<kB>(w, operands + 4 + kA, registers);
      decode_b<typename E::Quick, K>(registers, right);
      ready_b |= 1u << bits.b();
    }
    if (KW_LIKELY(left.plain && right.plain)) {
      const float* c[4];
      float* d[4];
      locate<4>(w, operands + 4 + kA + kB, c);
      locate<4>(w, operands, d);
      alignas(64) float copies[4][kLanes];
      if (KW_UNLIKELY((bits.bits & RunBits::kCrossed) != 0)) {
        for (unsigned i = 0; i < 4; ++i) {
          std::memcpy(copies[i], c[i], sizeof copies[i]);
          c[i] = copies[i];
        }
      }
      quick_product<typename E::Quick, model_of<E, E, K, false>, K>(left, right, c, d, cut);
    } else {
      cut.suspended([&] { multiply_fragments<E, E, 16, K, false>(w, ins); });
    }
    w.control->matrix_multiply_adds += u64{16} * 8 * K;
    ++ins;
  } while (ins->run == &mma_run<E, K>);
  return ins;
}
#else
template <class E, unsigned K>
inline constexpr Handler mma_run = mma_float<E, E, 16, K, false>;
#endif

}  // namespace kw::ptxvm::KW_ISA

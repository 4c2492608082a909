#pragma once
// mma.sync by fragments.
//
// Fragments (PTX ISA, "Matrix Fragments for mma"): with g = lane / 4, t = lane % 4 and e elements
// per 32-bit register, element j of register r is A[g + 8 (r % 2)][e t + j + 4 e (r / 2)] and B[e t
// + j + 4 e r][g]; register i of C is C[g + 8 (i / 2)][2 t + i % 2].

#include "exec/control.h"
#include "handlers/matrix.h"

namespace kw::ptxvm::KW_ISA {

// True if the warp is not whole: waits for its other lanes, or goes on after a finding.
inline bool incomplete(Warp& w, const Ins* ins, const Ins** next) {
  return KW_UNLIKELY(w.mask != kFullMask) && must_wait_for_warp(w, ins, next);
}

// Where an element goes along k. 8-bit floats are widened to f16 by pairs, and the first pairs of
// all registers are multiplied before the second ones.
template <class E, unsigned K>
constexpr unsigned column(unsigned t, unsigned j, unsigned r) {
  if (E::by_pairs) return j / 2 * (K / 2) + 2 * t + j % 2 + 8 * r;
  return E::per_register * t + j + 4 * E::per_register * r;
}

// The elements that one register holds for all lanes: lane by lane, so row g of a fragment (four
// lanes) is contiguous.
template <class E, class V>
void decode(Warp& w, u32 operand, V* out) {
  const auto* from = reg<const typename E::Code>(w, operand);
  for (unsigned i = 0; i < kLanes * E::per_register; ++i)
    out[i] = static_cast<V>(E::decode(from[i]));
}

template <class E, unsigned M, unsigned K, class V>
void load_a(Warp& w, const u32* operands, V (*a)[K]) {
  constexpr unsigned e = E::per_register;
  constexpr unsigned kRegisters = M * K / (32 * e);
  for (unsigned r = 0; r < kRegisters; ++r) {
    alignas(64) V part[kLanes * e];
    decode<E>(w, operands[r], part);
    for (unsigned g = 0; g < 8; ++g) {
      V* row = a[g + 8 * (r % 2)];
      for (unsigned c = 0; c < 4 * e; ++c)
        row[column<E, K>(c / e, c % e, r / 2)] = part[4 * e * g + c];
    }
  }
}
template <class E, unsigned K, class V>
void load_b(Warp& w, const u32* operands, V (*b)[8]) {
  constexpr unsigned e = E::per_register;
  constexpr unsigned kRegisters = 8 * K / (32 * e);
  for (unsigned r = 0; r < kRegisters; ++r) {
    alignas(64) V part[kLanes * e];
    decode<E>(w, operands[r], part);
    for (unsigned c = 0; c < 4 * e; ++c) {
      V* row = b[column<E, K>(c / e, c % e, r)];
      for (unsigned g = 0; g < 8; ++g) row[g] = part[4 * e * g + c];
    }
  }
}

template <class EA, class EB, unsigned K, bool HalfAccumulator>
inline constexpr Model model_of{EA::by_pairs ? K / 2
                                : K < 16     ? K
                                             : 16,
                                EA::lowest, EB::lowest, HalfAccumulator};

// extra: D, A, B, C registers in this order.
// EA, EB: decoders with lowest, the exponent of the smallest normal number.
template <class EA, class EB, unsigned M, unsigned K, bool HalfAccumulator>
void multiply_fragments(Warp& w, const Ins* ins) {
  constexpr unsigned kD = M / (HalfAccumulator ? 8 : 4);
  constexpr unsigned kA = M * K / (32 * EA::per_register), kB = 8 * K / (32 * EB::per_register);
  const u32* d = w.extra + ins->extra;
  const u32 *a = d + kD, *b = a + kA, *from_c = b + kB;
  Product<M, K> p;
  load_a<EA, M, K>(w, a, p.a);
  load_b<EB, K>(w, b, p.b);
  for (unsigned i = 0; i < M / 4; ++i) {
    const u32* from = reg<const u32>(w, HalfAccumulator ? from_c[i / 2] : from_c[i]);
    for (unsigned l = 0; l < kLanes; ++l) {
      const float value = HalfAccumulator
                              ? half_to_float(static_cast<u16>(from[l] >> (16 * (i % 2))))
                              : bit_cast<float>(from[l]);
      p.c[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2] = value;
    }
  }
  constexpr Model kModel = model_of<EA, EB, K, HalfAccumulator>;
  if (EA::by_pairs && !w.exact_matrix) {
    // The products are summed from zero; C is added after, rounding to nearest.
    float c[M][8];
    std::memcpy(c, p.c, sizeof c);
    std::memset(p.c, 0, sizeof p.c);
    accumulate<kModel>(p, false);
    for (unsigned m = 0; m < M; ++m) {
      for (unsigned n = 0; n < 8; ++n) p.c[m][n] = canonical(p.c[m][n] + c[m][n]);
    }
  } else {
    accumulate<kModel>(p, w.exact_matrix);
  }
  for (unsigned i = 0; i < M / 4; i += HalfAccumulator ? 2 : 1) {
    u32* to = reg<u32>(w, HalfAccumulator ? d[i / 2] : d[i]);
    for (unsigned l = 0; l < kLanes; ++l) {
      const float* value = &p.c[l / 4 + 8 * (i / 2)][2 * (l % 4) + i % 2];
      to[l] = HalfAccumulator
                  ? float_to_half(value[0]) | static_cast<u32>(float_to_half(value[1])) << 16
                  : bit_cast<u32>(*value);
    }
  }
}

template <class EA, class EB, unsigned M, unsigned K, bool HalfAccumulator>
const Ins* mma_float(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  multiply_fragments<EA, EB, M, K, HalfAccumulator>(w, ins);
  w.control->matrix_multiply_adds += u64{M} * 8 * K;
  return ins + 1;
}

}  // namespace kw::ptxvm::KW_ISA

// mma.sync.m8n8k4 of f16: four products at once, one for each pair of quads of lanes (0-3 and
// 16-19, 4-7 and 20-23, ...). Fragments as in the PTX ISA, "Matrix Fragments for mma.m8n8k4".

#include "handlers/fragments.h"

namespace kw::ptxvm::baseline {
namespace {

struct Place {
  unsigned row, column;
};

// Element i of a lane's A or B: the index along its row or column, then along k.
inline unsigned lane_index(unsigned l) { return l % 4 + (l < 16 ? 0 : 4); }
inline unsigned pair_index(unsigned i, unsigned l) { return i % 4 + (l < 16 ? 0 : 4); }

inline Place accumulator(unsigned l, unsigned i, bool half) {
  if (half) return {lane_index(l), i};
  return {(l & 1) + (i & 2) + (l < 16 ? 0 : 4), (i & 4) + (l & 2) + (i & 1)};
}
inline float half_at(Warp& w, u32 operand, unsigned l, unsigned which) {
  return half_to_float(static_cast<u16>(reg<const u32>(w, operand)[l] >> (16 * which)));
}

// Into f32 the hardware sums with fused multiply-adds from zero and adds C last; into f16 as in
// matrix.h, cut to f32 before it rounds.
inline float chain(const float* a, const float (*b)[8], unsigned column, float c) {
  float sum = 0;
  for (unsigned k = 0; k < 4; ++k) sum = fused(a[k], b[k][column], sum);
  return canonical(sum + c);
}

// z: 1 if A is by rows, 2 if B is by columns, 4 if C and 8 if D is f16.
const Ins* mma(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  const bool half_c = (ins->z & 4) != 0, half_d = (ins->z & 8) != 0;
  const unsigned count_d = half_d ? 4 : 8;
  const u32* d = w.extra + ins->extra;
  const u32 *a = d + count_d, *b = a + 2, *c = b + 2;
  float ma[4][8][4], mb[4][4][8], mc[4][8][8], out[4][8][8];
  for (unsigned l = 0; l < kLanes; ++l) {
    const unsigned q = l / 4 % 4;
    for (unsigned i = 0; i < 4; ++i) {
      const float x = half_at(w, a[i / 2], l, i % 2), y = half_at(w, b[i / 2], l, i % 2);
      if ((ins->z & 1) != 0)
        ma[q][lane_index(l)][i] = x;
      else
        ma[q][pair_index(i, l)][l % 4] = x;
      if ((ins->z & 2) != 0)
        mb[q][i][lane_index(l)] = y;
      else
        mb[q][l % 4][pair_index(i, l)] = y;
    }
    for (unsigned i = 0; i < 8; ++i) {
      const Place p = accumulator(l, i, half_c);
      mc[q][p.row][p.column] =
          half_c ? half_at(w, c[i / 2], l, i % 2) : reg<const float>(w, c[i])[l];
    }
  }
  constexpr Model kModel{4, -14, -14, false};
  for (unsigned q = 0; q < 4; ++q) {
    for (unsigned i = 0; i < 8; ++i) {
      for (unsigned j = 0; j < 8; ++j) {
        const float from = mc[q][i][j];
        if (w.exact_matrix) {
          double sum = static_cast<double>(from);
          for (unsigned k = 0; k < 4; ++k)
            sum += static_cast<double>(ma[q][i][k]) * static_cast<double>(mb[q][k][j]);
          out[q][i][j] = canonical(static_cast<float>(sum));
        } else {
          out[q][i][j] = half_d ? accumulate_any<kModel>(ma[q][i], &mb[q][0][j], 8, from)
                                : chain(ma[q][i], mb[q], j, from);
        }
      }
    }
  }
  for (unsigned l = 0; l < kLanes; ++l) {
    const auto value = [&](unsigned i) {
      const Place p = accumulator(l, i, half_d);
      return out[l / 4 % 4][p.row][p.column];
    };
    for (unsigned i = 0; i < count_d; ++i) {
      reg<u32>(w, d[i])[l] = half_d ? float_to_half(value(2 * i)) |
                                          static_cast<u32>(float_to_half(value(2 * i + 1))) << 16
                                    : bit_cast<u32>(value(i));
    }
  }
  w.control->matrix_multiply_adds += u64{4} * 8 * 8 * 4;
  return ins + 1;
}

}  // namespace

void register_matrix_quad(Registry& r) { r.add("$mma.m8n8k4", mma, {}); }

}  // namespace kw::ptxvm::baseline

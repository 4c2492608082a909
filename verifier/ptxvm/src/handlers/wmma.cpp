// wmma. PTX leaves open which lane holds what of a fragment: here a matrix lies row by row over the
// lanes, each holding 1/32 of its elements in its first registers.
//
// extra: see WmmaFields (exec/operands.h), then the registers.

#include "exec/access.h"
#include "exec/operands.h"
#include "handlers/fragments.h"

namespace kw::ptxvm::baseline {
namespace {

constexpr unsigned kLargest = 32 * 16;  // elements of a matrix

// The elements of a fragment as bytes, in the matrix's order, to or from registers.
template <bool Store>
void exchange(Warp& w, const u32* registers, u32 register_bytes, u32 element_bytes, u32 elements,
              u8* matrix) {
  const u32 share = elements / kLanes;
  for (u32 e = 0; e < elements; ++e) {
    const u32 lane = e / share, at = e % share * element_bytes;
    u8* reg_byte =
        reg<u8>(w, registers[at / register_bytes]) + lane * register_bytes + at % register_bytes;
    if (Store)
      std::memcpy(reg_byte, matrix + e * element_bytes, element_bytes);
    else
      std::memcpy(matrix + e * element_bytes, reg_byte, element_bytes);
  }
}

// a: address, b: stride in elements.
template <bool Store>
const Ins* transfer(Warp& w, const Ins* ins) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  const u32* extra = w.extra + ins->extra;
  const u32 rows = extra[WmmaFields::kRows], columns = extra[WmmaFields::kColumns];
  const u32 bytes = extra[WmmaFields::kElementBytes], elements = rows * columns;
  const bool by_rows = extra[WmmaFields::kByRows] != 0;
  const AccessBits access{ins->y};
  alignas(16) u8 matrix[kLargest * 8] = {};
  if (Store)
    exchange<false>(w, extra + WmmaFields::kCount, extra[WmmaFields::kRegisterBytes], bytes,
                    elements, matrix);
  for (u32 e = 0; e < elements; ++e) {
    const unsigned lane = e / (elements / kLanes);
    const u64 base =
        access.address32() ? reg<const u32>(w, ins->a)[lane] : reg<const u64>(w, ins->a)[lane];
    const u64 stride = reg<const u32>(w, ins->b)[lane];
    const u64 row = e / columns, column = e % columns;
    const u64 offset = (by_rows ? row * stride + column : column * stride + row) * bytes;
    const u64 address =
        access.address32() ? static_cast<u32>(base + ins->imm + offset) : base + ins->imm + offset;
    w.address[lane] = address;
    std::byte* host = checked_bytes(w, ins, lane, address, bytes, access.space(),
                                    Store ? AccessKind::Write : AccessKind::Read);
    if (host == nullptr) continue;
    if (Store)
      std::memcpy(host, matrix + e * bytes, bytes);
    else
      std::memcpy(matrix + e * bytes, host, bytes);
  }
  if (!Store)
    exchange<true>(w, extra + WmmaFields::kCount, extra[WmmaFields::kRegisterBytes], bytes,
                   elements, matrix);
  return ins + 1;
}

// Element formats: bytes and the number that a code stands for.
struct F16 {
  static constexpr u32 bytes = 2;
  static constexpr int lowest = -14;
  static float decode(const u8* p) {
    u16 h;
    std::memcpy(&h, p, 2);
    return half_to_float(h);
  }
};
struct BF16 {
  static constexpr u32 bytes = 2;
  static constexpr int lowest = -126;
  static float decode(const u8* p) {
    u16 h;
    std::memcpy(&h, p, 2);
    return bf16_to_float(h);
  }
};
struct TF32 {
  static constexpr u32 bytes = 4;
  static constexpr int lowest = -126;
  static float decode(const u8* p) {
    u32 v;
    std::memcpy(&v, p, 4);
    return bit_cast<float>(v & ~0x1fffu);
  }
};

struct Operands {
  alignas(16) u8 a[kLargest * 8], b[kLargest * 8], c[kLargest * 8], d[kLargest * 8];
  u32 m, n, k;
};

// Reads A, B and C, lets `body` fill D, and writes it. extra: kRows = M, kColumns = N, kDepth = K,
// the numbers of registers, then D, A, B, C.
template <u32 ElementBytes, u32 ResultBytes, class Body>
const Ins* multiply(Warp& w, const Ins* ins, Body body) {
  const Ins* next = nullptr;
  if (incomplete(w, ins, &next)) return next;
  const u32* extra = w.extra + ins->extra;
  Operands o;
  o.m = extra[WmmaFields::kRows];
  o.n = extra[WmmaFields::kColumns];
  o.k = extra[WmmaFields::kDepth];
  const u32 wide = ElementBytes == 8 ? 8 : 4;
  const u32* d = extra + WmmaFields::kCount;
  const u32* a = d + extra[WmmaFields::kRegistersC];
  const u32* b = a + extra[WmmaFields::kRegistersA];
  const u32* c = b + extra[WmmaFields::kRegistersB];
  exchange<false>(w, a, wide, ElementBytes, o.m * o.k, o.a);
  exchange<false>(w, b, wide, ElementBytes, o.k * o.n, o.b);
  exchange<false>(w, c, wide, ResultBytes, o.m * o.n, o.c);
  body(o);
  exchange<true>(w, d, wide, ResultBytes, o.m * o.n, o.d);
  w.control->matrix_multiply_adds += u64{o.m} * o.n * o.k;
  return ins + 1;
}

// Step: products added at once.
template <class E, unsigned K, unsigned Step, bool Half>
const Ins* mma_float(Warp& w, const Ins* ins) {
  constexpr Model kModel{Step, E::lowest, E::lowest, Half};
  return multiply < E::bytes,
         Half ? 2 : 4 > (w, ins, [&](Operands& o) {
                      for (u32 i = 0; i < o.m; ++i) {
                        for (u32 j = 0; j < o.n; ++j) {
                          float x[K], y[K], c;
                          for (u32 k = 0; k < K; ++k) {
                            x[k] = E::decode(o.a + (i * K + k) * E::bytes);
                            y[k] = E::decode(o.b + (k * o.n + j) * E::bytes);
                          }
                          const u32 at = (i * o.n + j) * (Half ? 2 : 4);
                          if (Half) {
                            c = F16::decode(o.c + at);
                          } else {
                            std::memcpy(&c, o.c + at, 4);
                          }
                          float r;
                          if (w.exact_matrix) {
                            double sum = static_cast<double>(c);
                            for (u32 k = 0; k < K; ++k)
                              sum += static_cast<double>(x[k]) * static_cast<double>(y[k]);
                            r = canonical(static_cast<float>(sum));
                          } else {
                            r = c;
                            for (u32 k = 0; k < K; k += Step)
                              r = accumulate_any<kModel>(x + k, y + k, 1, r);
                          }
                          if (Half) {
                            const u16 h = float_to_half(r);
                            std::memcpy(o.d + at, &h, 2);
                          } else {
                            std::memcpy(o.d + at, &r, 4);
                          }
                        }
                      }
                    });
}

template <class T>
const Ins* mma_int(Warp& w, const Ins* ins) {
  return multiply<1, 4>(w, ins, [&](Operands& o) {
    for (u32 i = 0; i < o.m; ++i) {
      for (u32 j = 0; j < o.n; ++j) {
        s32 c;
        std::memcpy(&c, o.c + (i * o.n + j) * 4, 4);
        s64 sum = c;
        for (u32 k = 0; k < o.k; ++k)
          sum += static_cast<T>(o.a[i * o.k + k]) * static_cast<T>(o.b[k * o.n + j]);
        if (ins->z != 0)
          sum = sum > 2147483647 ? 2147483647 : sum < -2147483648LL ? -2147483648LL : sum;
        const s32 r = static_cast<s32>(sum);
        std::memcpy(o.d + (i * o.n + j) * 4, &r, 4);
      }
    }
  });
}

const Ins* mma_double(Warp& w, const Ins* ins) {
  return multiply<8, 8>(w, ins, [&](Operands& o) {
    const auto at = [](const u8* p, u32 i) {
      double x;
      std::memcpy(&x, p + 8 * i, 8);
      return x;
    };
    for (u32 i = 0; i < o.m; ++i) {
      for (u32 j = 0; j < o.n; ++j) {
        double sum = at(o.c, i * o.n + j);
        for (u32 k = 0; k < o.k; ++k) sum = fused(at(o.a, i * o.k + k), at(o.b, k * o.n + j), sum);
        std::memcpy(o.d + 8 * (i * o.n + j), &sum, 8);
      }
    }
  });
}

}  // namespace

void register_wmma(Registry& r) {
  r.add("$wmma.load", transfer<false>, {0, 8, 4, 0});
  r.add("$wmma.store", transfer<true>, {0, 8, 4, 0});
  r.add("$wmma.f16.f32", mma_float<F16, 16, 16, false>, {});
  r.add("$wmma.f16.f16", mma_float<F16, 16, 16, true>, {});
  r.add("$wmma.bf16.f32", mma_float<BF16, 16, 16, false>, {});
  r.add("$wmma.tf32.f32", mma_float<TF32, 8, 4, false>, {});
  r.add("$wmma.s8.s32", mma_int<s8>, {});
  r.add("$wmma.u8.s32", mma_int<u8>, {});
  r.add("$wmma.f64.f64", mma_double, {});
}

}  // namespace kw::ptxvm::baseline

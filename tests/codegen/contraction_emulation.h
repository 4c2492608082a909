#pragma once
// What tests of the contraction's device code on the CPU share: operands, value families, the
// judge's bound for `ieee` against FP64 sums. Include it before anything that knows threadIdx.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "emulated_gpu.h"
#include "kw/core/random.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
// Each file uses the ones before it, as in an emitted kernel.
// clang-format off
#include "contraction_operand.cuh"
#include "contraction_split.cuh"
#include "contraction_fp16x3.cuh"
#include "contraction_direct.cuh"
#include "contraction_ffma.cuh"
#include "contraction_parts.cuh"
#include "gemv.cuh"
// clang-format on
#pragma GCC diagnostic pop

namespace kw {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kFibersWork = false;
#else
constexpr bool kFibersWork = true;
#endif

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Draw = std::function<float(RandomStream&, int row, int k)>;
inline float normal(RandomStream& r) { return static_cast<float>(r.normal()); }
inline Draw gaussian() {
  return [](RandomStream& r, int, int) { return normal(r); };
}
/// Mantissas with random low bits, exponents 0 to -spread.
inline float spread(RandomStream& r, unsigned binades) {
  return std::ldexp(1.0f + static_cast<float>(r.uniform()),
                    -static_cast<int>(r.below(binades + 1)));
}

/// A rows x k operand, stored along k or along its rows.
struct Matrix {
  int rows, k;
  bool along_k;
  std::vector<float4> storage;  // 16-byte aligned

  Matrix(int rows_, int k_, bool along, std::uint64_t seed, const Draw& draw)
      : rows(rows_), k(k_), along_k(along) {
    storage.resize(static_cast<std::size_t>(rows * k) / 4 + 1);
    RandomStream random(seed, purpose("matrix"));
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < k; ++i) data()[r * row_stride() + i * k_stride()] = draw(random, r, i);
    }
  }
  float* data() { return reinterpret_cast<float*>(storage.data()); }
  const float* data() const { return reinterpret_cast<const float*>(storage.data()); }
  long long row_stride() const { return along_k ? k : 1; }
  long long k_stride() const { return along_k ? 1 : rows; }
  float at(int r, int i) const { return data()[r * row_stride() + i * k_stride()]; }
  bool quads() const { return (along_k ? k : rows) % 4 == 0; }
};

/// `use` with both operands as the generator would type them.
template <class Use>
auto with_operand(const Matrix& m, const Use& use) {
  const long long row = m.row_stride(), k = m.k_stride();
  if (m.along_k && m.quads()) return use(Strided<true, true>{m.data(), 0, row, k});
  if (m.along_k) return use(Strided<true, false>{m.data(), 0, row, k});
  if (m.quads()) return use(Strided<false, true>{m.data(), 0, row, k});
  return use(Strided<false, false>{m.data(), 0, row, k});
}
template <class Use>
auto with_operands(const Matrix& a, const Matrix& b, const Use& use) {
  return with_operand(a, [&](const auto& a_operand) {
    return with_operand(b, [&](const auto& b_operand) { return use(a_operand, b_operand); });
  });
}

struct Store {
  static constexpr bool kRunsAlongColumns = true;
  float* out;
  int columns_;
  void operator()(int, int, int row, int column, int columns, float x, float y) const {
    if (column < columns) out[row * columns_ + column] = x;
    if (column + 1 < columns) out[row * columns_ + column + 1] = y;
  }
};

/// |error| <= u |y| + (2^-20 + 2^-23 sqrt(K)) c, |mean error| <= 2^-20 c, NaN and Inf where an
/// exact sum has them.
inline void expect_ieee(const Matrix& a, const Matrix& b, const std::vector<float>& c) {
  const double slope = 0x1p-20 + 0x1p-23 * std::sqrt(static_cast<double>(a.k));
  double mean = 0;
  for (int i = 0; i < a.rows; ++i) {
    for (int j = 0; j < b.rows; ++j) {
      double sum = 0, magnitude = 0;
      for (int k = 0; k < a.k; ++k) {
        const double product = static_cast<double>(a.at(i, k)) * static_cast<double>(b.at(j, k));
        sum += product;
        magnitude += std::abs(product);
      }
      const float got = c[static_cast<std::size_t>(i * b.rows + j)];
      const float want = static_cast<float>(sum);
      ASSERT_EQ(std::isnan(got), std::isnan(want))
          << i << ", " << j << ": " << got << " for " << want;
      ASSERT_EQ(std::isinf(got), std::isinf(want))
          << i << ", " << j << ": " << got << " for " << want;
      if (!std::isfinite(want)) continue;
      const double error = static_cast<double>(got) - sum;
      // Half a spacing of subnormal results for each addition.
      const double slack = 0x1p-150 * a.k;
      ASSERT_LE(std::abs(error), 0x1p-24 * std::abs(sum) + slope * magnitude + slack)
          << i << ", " << j;
      if (magnitude > 0) mean += error / magnitude;
    }
  }
  EXPECT_LE(std::abs(mean / (a.rows * b.rows)), 0x1p-20);
}

struct Case {
  std::string name;
  Draw a, b;
  bool wide, wide_swapped;  // something must leave the tensor cores; with operands exchanged
};

inline std::vector<Case> families() {
  const Draw gauss = [](RandomStream& r, int, int) { return normal(r); };
  return {
      {"uniform", [](RandomStream& r, int, int) { return static_cast<float>(r.uniform()); }, gauss,
       false, false},
      {"zeros", [](RandomStream&, int, int) { return 0.0f; }, gauss, false, false},
      {"spread_28",
       [](RandomStream& r, int, int k) {
         return k % 64 == 0 ? 1.5f : k % 64 == 1 ? 0x1.8p-28f : spread(r, 28);
       },
       gauss, false, false},
      {"spread_29",
       [](RandomStream& r, int, int k) {
         return k % 64 == 0 ? 1.5f : k % 64 == 1 ? 0x1.8p-29f : spread(r, 28);
       },
       gauss, true, true},
      {"subnormal", [](RandomStream& r, int, int) { return std::ldexp(normal(r), -130); },
       [](RandomStream& r, int, int) { return std::ldexp(normal(r), 20); }, true, true},
      {"one_subnormal",
       [](RandomStream& r, int row, int k) { return row == 3 && k == 5 ? 0x1p-140f : normal(r); },
       gauss, true, true},
      {"tiny_times_huge", [](RandomStream& r, int, int) { return std::ldexp(normal(r), -100); },
       [](RandomStream& r, int, int) { return std::ldexp(normal(r), 100); }, true, true},
      {"rows_2_to_60",
       [](RandomStream& r, int row, int) {
         return std::ldexp(1.0f + static_cast<float>(r.uniform()), row % 2 == 0 ? 59 : -60);
       },
       [](RandomStream& r, int, int) { return std::ldexp(normal(r), -3); }, false, true},
      {"rows_2_to_61",
       [](RandomStream& r, int row, int) {
         return std::ldexp(1.0f + static_cast<float>(r.uniform()), row % 2 == 0 ? 61 : -61);
       },
       gauss, true, true},
      {"hidden_huge",
       [](RandomStream& r, int row, int k) { return row == 37 && k == 200 ? 3e30f : normal(r); },
       gauss, true, true},
      {"nan",
       [](RandomStream& r, int row, int k) { return row == 17 && k == 130 ? kNan : normal(r); },
       gauss, true, true},
      {"inf_and_zero",
       [](RandomStream& r, int row, int k) { return row == 33 && k == 7 ? kInf : normal(r); },
       [](RandomStream& r, int row, int k) { return row % 5 == 0 && k == 7 ? 0.0f : normal(r); },
       true, true},
      {"inf_minus_inf",
       [](RandomStream& r, int row, int k) {
         return row == 1 && k < 2 ? (k == 0 ? kInf : -kInf) : normal(r);
       },
       gauss, true, true},
      {"spiky",
       [](RandomStream& r, int, int) {
         const float x = normal(r);
         return r.below(500) == 0 ? x * 1e7f : r.below(500) == 0 ? x * 1e-7f : x;
       },
       gauss, true, true},
  };
}
/// Both storage orders of either operand, sizes that are whole quads and sizes that are not;
/// `multiply` gives the product of two matrices.
template <class Multiply>
void expect_every_layout_and_tail(const Multiply& multiply) {
  for (const bool a_along_k : {false, true}) {
    for (const bool b_along_k : {false, true}) {
      for (const int odd : {0, 1}) {
        SCOPED_TRACE(fmt::format("{} {} {}", a_along_k, b_along_k, odd));
        const Matrix a(60 + odd, 164 + odd, a_along_k, 3, gaussian());
        const Matrix b(64 - odd, 164 + odd, b_along_k, 4, gaussian());
        expect_ieee(a, b, multiply(a, b));
      }
    }
  }
}

inline int up(int x, int by) { return (x + by - 1) / by * by; }

}  // namespace kw

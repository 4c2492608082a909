// The device code of the contraction skeleton, on the CPU: split, tensor-core product, in-kernel
// and separate wide path, GEMV. Expected values are FP64 sums; the bound is the judge's for `ieee`.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

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
#include "contraction_ffma.cuh"
#include "contraction_parts.cuh"
#include "gemv.cuh"
// clang-format on
#pragma GCC diagnostic pop

namespace kw {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kFibersWork = false;
#else
constexpr bool kFibersWork = true;
#endif

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Draw = std::function<float(RandomStream&, int row, int k)>;
float normal(RandomStream& r) { return static_cast<float>(r.normal()); }
/// Mantissas with random low bits, exponents 0 to -spread.
float spread(RandomStream& r, unsigned binades) {
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

struct Store {
  float* out;
  int columns_;
  void operator()(int, int, int row, int column, int columns, float x, float y) const {
    if (column < columns) out[row * columns_ + column] = x;
    if (column + 1 < columns) out[row * columns_ + column + 1] = y;
  }
};

struct Outcome {
  std::vector<float> c;
  unsigned wide = 0, total = 0;
};

int up(int x, int by) { return (x + by - 1) / by * by; }

/// What a plan runs: split, product, wide, and the parts' sum. `wide_limit` in 1/100 of all
/// products.
template <class Tile, class A, class B>
Outcome run_forms(const Matrix& am, const Matrix& bm, const A& a, const B& b, int percent,
                  int splits) {
  const int mp = up(up(am.rows, Tile::kTileM), 64), np = up(up(bm.rows, Tile::kTileN), 64);
  const int slices = (am.k + kSlice - 1) / kSlice;
  const int slabs = up((am.k + kSlab - 1) / kSlab, Tile::kRunSlabs);
  const auto bytes = [&](int rows) {
    return std::vector<uint4>(static_cast<std::size_t>(rows) * static_cast<std::size_t>(slabs) * 8);
  };
  std::vector<uint4> a_terms = bytes(mp), b_terms = bytes(np);
  const auto words = [&](int rows) { return static_cast<std::size_t>(rows * slices); };
  std::vector<float> a_scales(words(mp)), b_scales(words(np / 32));
  std::vector<unsigned char> a_wide(words(mp / 16)), b_wide(words(np / 32));
  Outcome out;
  out.c.assign(static_cast<std::size_t>(am.rows * bm.rows), kNan);
  Fp16x3Problem p{};
  p.a = {reinterpret_cast<unsigned char*>(a_terms.data()),
         a_scales.data(),
         a_wide.data(),
         &out.wide,
         am.rows,
         am.k,
         mp,
         slices,
         slabs,
         unsigned(np / 32)};
  p.b = {reinterpret_cast<unsigned char*>(b_terms.data()),
         b_scales.data(),
         b_wide.data(),
         &out.wide,
         bm.rows,
         bm.k,
         np,
         slices,
         slabs,
         unsigned(mp / 16)};
  p.slices_per_split = (slices + splits - 1) / splits;
  const int parts = (slices + p.slices_per_split - 1) / p.slices_per_split;
  out.total = unsigned(mp / 16 * (np / 32) * slices);
  p.wide_limit = out.total * unsigned(percent) / 100;

  const int a_tiles = mp / kSplitRows * slices, b_tiles = np / kSplitRows * slices;
  emulated_gpu::launch({unsigned(a_tiles + b_tiles)}, kSplitThreads,
                       [&] { split_operands(a, p.a, a_tiles, b, p.b); });
  const unsigned tiles = unsigned(up(am.rows, Tile::kTileM) / Tile::kTileM *
                                  (up(bm.rows, Tile::kTileN) / Tile::kTileN));
  const unsigned wide_tiles = unsigned(up(am.rows, 64) / 64 * (up(bm.rows, 64) / 64));
  const FfmaProblem wide{am.rows,   bm.rows,     am.k, p.slices_per_split * kSlice,
                         &out.wide, p.wide_limit};
  const auto multiply = [&](const auto& sink) {
    emulated_gpu::launch({tiles, unsigned(parts)}, Tile::kThreads,
                         [&] { fp16x3_product<Tile>(p, a, b, &out.wide, sink); });
    emulated_gpu::launch({wide_tiles, unsigned(parts)}, 256,
                         [&] { ffma_product<FfmaTile<64, 64, 256>>(wide, a, b, 0, 0, sink); });
  };
  const Store store{out.c.data(), bm.rows};
  if (parts == 1) {
    multiply(store);
    return out;
  }
  std::vector<float2> sums(static_cast<std::size_t>(parts * am.rows * up(bm.rows, 2) / 2));
  const StorePart part{reinterpret_cast<float*>(sums.data()), 1, am.rows};
  multiply(part);
  const unsigned pairs = unsigned(am.rows * up(bm.rows, 2) / 2);
  emulated_gpu::launch({(pairs + 255) / 256}, 256, [&] { add_parts(part, parts, bm.rows, store); });
  return out;
}

template <class Tile>
Outcome run(const Matrix& a, const Matrix& b, int percent = 2, int splits = 1) {
  const auto with_b = [&](const auto& a_operand) {
    const auto go = [&](const auto& b_operand) {
      return run_forms<Tile>(a, b, a_operand, b_operand, percent, splits);
    };
    if (b.along_k && b.quads())
      return go(Strided<true, true>{b.data(), 0, b.row_stride(), b.k_stride()});
    if (b.along_k) return go(Strided<true, false>{b.data(), 0, b.row_stride(), b.k_stride()});
    if (b.quads()) return go(Strided<false, true>{b.data(), 0, b.row_stride(), b.k_stride()});
    return go(Strided<false, false>{b.data(), 0, b.row_stride(), b.k_stride()});
  };
  if (a.along_k && a.quads())
    return with_b(Strided<true, true>{a.data(), 0, a.row_stride(), a.k_stride()});
  if (a.along_k) return with_b(Strided<true, false>{a.data(), 0, a.row_stride(), a.k_stride()});
  if (a.quads()) return with_b(Strided<false, true>{a.data(), 0, a.row_stride(), a.k_stride()});
  return with_b(Strided<false, false>{a.data(), 0, a.row_stride(), a.k_stride()});
}

/// |error| <= u |y| + (2^-20 + 2^-23 sqrt(K)) c, |mean error| <= 2^-20 c, NaN and Inf where an
/// exact sum has them.
void expect_ieee(const Matrix& a, const Matrix& b, const std::vector<float>& c) {
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

using Small = Fp16x3Tile<64, 64, 32, 32, 2, 2>;

struct Case {
  std::string name;
  Draw a, b;
  bool wide, wide_swapped;  // something must leave the tensor cores; with operands exchanged
};

std::vector<Case> families() {
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

class Families : public testing::TestWithParam<Case> {};

TEST_P(Families, MeetTheIeeeBoundOnBothWidePaths) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Case& c = GetParam();
  for (const bool swapped : {false, true}) {
    const Matrix a(60, 268, true, 1, swapped ? c.b : c.a);
    const Matrix b(52, 268, false, 2, swapped ? c.a : c.b);
    for (const int percent : {0, 1000}) {
      SCOPED_TRACE(fmt::format("swapped {} limit {} %", swapped, percent));
      const Outcome out = run<Small>(a, b, percent);
      EXPECT_EQ(out.wide > 0, swapped ? c.wide_swapped : c.wide) << out.wide << " of " << out.total;
      expect_ieee(a, b, out.c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fp16x3, Families, testing::ValuesIn(families()),
                         [](const auto& one) { return one.param.name; });

Draw gaussian() {
  return [](RandomStream& r, int, int) { return normal(r); };
}

TEST(Fp16x3, TakesEveryLayoutAndTail) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  for (const bool a_along_k : {false, true}) {
    for (const bool b_along_k : {false, true}) {
      for (const int odd : {0, 1}) {
        SCOPED_TRACE(fmt::format("{} {} {}", a_along_k, b_along_k, odd));
        const Matrix a(60 + odd, 164 + odd, a_along_k, 3, gaussian());
        const Matrix b(64 - odd, 164 + odd, b_along_k, 4, gaussian());
        expect_ieee(a, b, run<Small>(a, b).c);
      }
    }
  }
}

TEST(Fp16x3, MeetsTheBoundWithEveryTileAndRun) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Matrix a(130, 196, true, 5, gaussian());
  const Matrix b(60, 196, true, 6, gaussian());
  expect_ieee(a, b, run<Fp16x3Tile<128, 64, 64, 32, 4, 1>>(a, b).c);
  expect_ieee(a, b, run<Fp16x3Tile<64, 128, 32, 64, 2, 2>>(a, b).c);
  expect_ieee(a, b, run<Fp16x3Tile<128, 96, 64, 32, 3, 2>>(a, b).c);
}

TEST(Fp16x3, AddsPartsOfKInAFixedOrder) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Matrix a(61, 700, true, 7, gaussian());
  const Matrix b(63, 700, false, 8, gaussian());
  const Outcome first = run<Small>(a, b, 2, 3);
  expect_ieee(a, b, first.c);
  EXPECT_EQ(first.c, run<Small>(a, b, 2, 3).c);
}

/// Coherent inputs unmask lower precision: mantissas just below the rounding tie of TF32.
TEST(Fp16x3, KeepsTheBitsThatTf32Drops) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Draw below_tie = [](RandomStream& r, int, int) {
    return std::bit_cast<float>(0x3f800fffu - static_cast<unsigned>(r.below(0x80)));
  };
  const Matrix a(64, 512, true, 9, below_tie);
  const Matrix b(64, 512, true, 10, below_tie);
  expect_ieee(a, b, run<Small>(a, b).c);
}

TEST(Split, RestoresEveryValueOfAGranuleWithinTwoToMinus22) {
  RandomStream random(11, purpose("split"));
  for (int i = 0; i < 200000; ++i) {
    const int top = static_cast<int>(random.below(121)) - 60;
    const float largest = std::ldexp(1.0f + static_cast<float>(random.uniform()), top);
    const float x = std::ldexp(1.0f + static_cast<float>(random.uniform()),
                               top - static_cast<int>(random.below(29)));
    Magnitudes m;
    m.take(largest);
    m.take(x);
    const SplitScale s = split_scale(m);
    if (largest >= std::ldexp(1.0f, 61) || x > 2 * largest) continue;
    ASSERT_NE(s.down, 0.0f) << largest << " " << x;
    unsigned h = 0, l = 0;
    split_pair(x, -x, s.up, h, l);
    float hx, hy, lx, ly;
    unpack_half2(h, hx, hy);
    unpack_half2(l, lx, ly);
    const double back =
        (static_cast<double>(hx) + static_cast<double>(lx) / 2048) * static_cast<double>(s.down);
    ASSERT_LE(std::abs(back - static_cast<double>(x)), 0x1p-22 * static_cast<double>(x))
        << x << " under " << largest;
    ASSERT_EQ(hx, -hy);
    ASSERT_EQ(lx, -ly);
  }
}

TEST(Split, RefusesWhatTwoTermsCannotHold) {
  const auto wide = [](float largest, float smallest) {
    Magnitudes m;
    m.take(largest);
    m.take(smallest);
    m.take(0.0f);
    return split_scale(m).down == 0.0f;
  };
  EXPECT_FALSE(wide(1.0f, 0x1p-28f));
  EXPECT_TRUE(wide(1.0f, 0x1.fffffep-29f));
  EXPECT_FALSE(wide(0x1.fffffep60f, 1e18f));
  EXPECT_TRUE(wide(0x1p61f, 1e18f));
  EXPECT_FALSE(wide(0x1p-60f, 0x1p-60f));
  EXPECT_TRUE(wide(0x1.fffffep-61f, 0x1p-61f));
  EXPECT_TRUE(wide(1.0f, 0x1p-149f));
  EXPECT_TRUE(wide(kInf, 1.0f));
  EXPECT_TRUE(wide(kNan, 1.0f));
  Magnitudes zeros;
  zeros.take(0.0f);
  zeros.take(-0.0f);
  EXPECT_EQ(split_scale(zeros).down, 1.0f);
}

TEST(Gemv, AddsLongRowsInPartsEitherWay) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  constexpr int kRows = 37, kVectors = 3, kLength = 5000;
  for (const bool along_k : {true, false}) {
    const Matrix w(kRows, kLength, along_k, 12, gaussian());
    const Matrix x(kVectors, kLength, true, 13, gaussian());
    const int parts = 3, per_part = 2048;
    const GemvProblem p{kRows, kLength, per_part, 0, 0};
    std::vector<float> sums(static_cast<std::size_t>(parts * kRows * kVectors), kNan);
    const GemvPartials partials{sums.data(), 1, kVectors, kRows};
    const Strided<true, true> vectors{x.data(), 0, kLength, 1};
    if (along_k) {
      const Strided<true, true> rows{w.data(), 0, kLength, 1};
      emulated_gpu::launch({(kRows + 1) / 2, parts}, kGemvThreads,
                           [&] { gemv_along_k<2, kVectors, 2>(p, rows, vectors, partials); });
    } else {
      const Strided<false, false> rows{w.data(), 0, 1, kRows};
      emulated_gpu::launch({(kRows + 127) / 128, parts}, kGemvThreads,
                           [&] { gemv_along_rows<kVectors, 4>(p, rows, vectors, partials); });
    }
    std::vector<float> y(kRows * kVectors, kNan);
    const auto store = [&](int, int, int vector, int row, float sum) {
      y[static_cast<std::size_t>(row * kVectors + vector)] = sum;
    };
    emulated_gpu::launch({1}, kGemvThreads, [&] { gemv_finish(partials, parts, store); });
    expect_ieee(w, x, y);
  }
}

}  // namespace
}  // namespace kw

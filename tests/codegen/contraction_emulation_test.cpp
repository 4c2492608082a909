// The device code of the contraction skeleton, on the CPU: split, tensor-core product, in-kernel
// and separate wide path, GEMV. Expected values are FP64 sums; the bound is the judge's for `ieee`.
#include "contraction_emulation.h"

namespace kw {
namespace {

struct Outcome {
  std::vector<float> c;
  unsigned wide = 0, total = 0;
};

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
  return with_operands(a, b, [&](const auto& a_operand, const auto& b_operand) {
    return run_forms<Tile>(a, b, a_operand, b_operand, percent, splits);
  });
}

using Small = Fp16x3Tile<64, 64, 32, 32, 2, 2>;
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

TEST(Fp16x3, TakesEveryLayoutAndTail) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  expect_every_layout_and_tail([](const Matrix& a, const Matrix& b) { return run<Small>(a, b).c; });
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

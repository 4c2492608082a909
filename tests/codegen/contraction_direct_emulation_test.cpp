// The contraction that splits its operands in the main loop, on the CPU: layouts, tails, value
// families at the guard's edge, parts of k, giving up.
#include "contraction_emulation.h"

namespace kw {
namespace {

struct Outcome {
  std::vector<float> c;
  unsigned wide = 0;
};

/// What a plan runs: product, wide, and the parts' sum.
template <class Tile, class A, class B>
Outcome run_forms(const Matrix& am, const Matrix& bm, const A& a, const B& b, unsigned limit,
                  int splits) {
  Outcome out;
  out.c.assign(static_cast<std::size_t>(am.rows * bm.rows), kNan);
  const int runs = (am.k + kRun - 1) / kRun, runs_per_part = (runs + splits - 1) / splits;
  const int parts = (runs + runs_per_part - 1) / runs_per_part;
  const DirectProblem p{am.rows, bm.rows, am.k, 0, 0, runs_per_part, limit, &out.wide};
  const FfmaProblem wide{am.rows, bm.rows, am.k, runs_per_part * kRun, &out.wide, limit};
  const unsigned tiles = unsigned(up(am.rows, Tile::kTileM) / Tile::kTileM *
                                  (up(bm.rows, Tile::kTileN) / Tile::kTileN));
  const unsigned wide_tiles = unsigned(up(am.rows, 64) / 64 * (up(bm.rows, 64) / 64));
  const auto multiply = [&](const auto& sink) {
    emulated_gpu::launch({tiles, unsigned(parts)}, Tile::kThreads,
                         [&] { direct_product<Tile>(p, a, b, sink); });
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

constexpr unsigned kNoLimit = 0x7fffffffu;

template <class Tile>
Outcome run(const Matrix& a, const Matrix& b, unsigned limit = kNoLimit, int splits = 1) {
  return with_operands(a, b, [&](const auto& a_operand, const auto& b_operand) {
    return run_forms<Tile>(a, b, a_operand, b_operand, limit, splits);
  });
}

using Small = DirectTile<64, 64, 32, 32, 3>;

class DirectFamilies : public testing::TestWithParam<Case> {};

TEST_P(DirectFamilies, MeetTheIeeeBoundOnBothWidePaths) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Case& c = GetParam();
  // Scales are those of single rows on either side; a NaN needs none.
  const bool wide = c.wide && c.name != "nan";
  for (const bool swapped : {false, true}) {
    const Matrix a(60, 204, true, 1, swapped ? c.b : c.a);
    const Matrix b(52, 204, false, 2, swapped ? c.a : c.b);
    for (const unsigned limit : {0u, kNoLimit}) {
      SCOPED_TRACE(fmt::format("swapped {} limit {}", swapped, limit));
      const Outcome out = run<Small>(a, b, limit);
      EXPECT_EQ(out.wide > 0, wide) << out.wide;
      expect_ieee(a, b, out.c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Direct, DirectFamilies, testing::ValuesIn(families()),
                         [](const auto& one) { return one.param.name; });

TEST(Direct, TakesEveryLayoutAndTail) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  expect_every_layout_and_tail([](const Matrix& a, const Matrix& b) { return run<Small>(a, b).c; });
}

TEST(Direct, TakesOneRowAndOneOfK) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  for (const auto& [m, n, k] : {std::array{1, 37, 200}, {13, 1, 65}, {5, 7, 1}, {1, 1, 1}}) {
    SCOPED_TRACE(fmt::format("{} {} {}", m, n, k));
    const Matrix a(m, k, true, 5, gaussian()), b(n, k, false, 6, gaussian());
    expect_ieee(a, b, run<Small>(a, b).c);
  }
}

TEST(Direct, MeetsTheBoundWithEveryTile) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Matrix a(130, 260, true, 7, gaussian());
  const Matrix b(60, 260, false, 8, gaussian());
  expect_ieee(a, b, run<DirectTile<128, 128, 64, 32, 3>>(a, b).c);
  expect_ieee(a, b, run<DirectTile<64, 128, 32, 32, 4>>(a, b).c);
  expect_ieee(a, b, run<DirectTile<32, 128, 32, 16, 5>>(a, b).c);
  expect_ieee(a, b, run<DirectTile<16, 128, 16, 16, 5>>(a, b).c);
  expect_ieee(a, b, run<DirectTile<128, 64, 32, 32, 4>>(a, b).c);
}

TEST(Direct, AddsPartsOfKInAFixedOrder) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Matrix a(61, 700, true, 9, gaussian());
  const Matrix b(63, 700, false, 10, gaussian());
  const Outcome first = run<Small>(a, b, kNoLimit, 3);
  expect_ieee(a, b, first.c);
  EXPECT_EQ(first.c, run<Small>(a, b, kNoLimit, 3).c);
}

/// Coherent inputs unmask lower precision: mantissas just below the rounding tie of TF32.
TEST(Direct, KeepsTheBitsThatTf32Drops) {
  if (!kFibersWork) GTEST_SKIP() << "sanitizers do not follow fibers";
  const Draw below_tie = [](RandomStream& r, int, int) {
    return std::bit_cast<float>(0x3f800fffu - static_cast<unsigned>(r.below(0x80)));
  };
  const Matrix a(64, 320, true, 11, below_tie);
  const Matrix b(64, 320, true, 12, below_tie);
  expect_ieee(a, b, run<Small>(a, b).c);
}

}  // namespace
}  // namespace kw

#include "kw/verify/fill.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "kw/core/random.h"

namespace kw::verify {
namespace {

using Op = DrawStep::Op;

template <typename T>
std::vector<T> filled(const FillSpec& spec) {
  std::vector<T> out(static_cast<std::size_t>(spec.elements));
  const Status done = fill(spec, std::as_writable_bytes(std::span(out)));
  EXPECT_TRUE(done) << (done ? "" : done.error().message);
  return out;
}
FillSpec floats(Family family, std::int64_t n = 100003) {
  FillSpec spec;
  spec.elements = n;
  spec.row = 100;
  spec.seed = 42;
  spec.stream = purpose("fill.test");
  spec.family = family;
  spec.steps = {{Op::Uniform, 0, 1}};
  return spec;
}
struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const std::vector<float>& x) {
  Moments m;
  for (const float v : x) m.mean += static_cast<double>(v) / static_cast<double>(x.size());
  for (const float v : x) {
    const double d = static_cast<double>(v) - m.mean;
    m.variance += d * d / static_cast<double>(x.size());
  }
  return m;
}

TEST(Fill, DependsOnlyOnSeedStreamAndIndex) {
  FillSpec spec = floats(Family::AsDrawn);
  const std::vector<float> whole = filled<float>(spec);
  spec.elements = 7;
  const std::vector<float> head = filled<float>(spec);
  EXPECT_TRUE(std::equal(head.begin(), head.end(), whole.begin()));
  spec.stream += 1;
  EXPECT_NE(filled<float>(spec)[0], head[0]);
}
TEST(Fill, UsesPhiloxOfTheCore) {
  const std::vector<float> x = filled<float>(floats(Family::AsDrawn));
  const Philox4 block = philox(42, purpose("fill.test"), 5);
  for (std::size_t l = 0; l < 4; ++l)
    EXPECT_EQ(x[20 + l], static_cast<float>(block[l] >> 8) * 0x1p-24f);
}
TEST(Fill, DrawsTheMomentsThatAreAskedFor) {
  FillSpec spec = floats(Family::AsDrawn);
  spec.steps = {{Op::Normal, 3, 2}};
  const Moments normal = moments(filled<float>(spec));
  EXPECT_NEAR(normal.mean, 3, 0.03);
  EXPECT_NEAR(normal.variance, 4, 0.08);
  spec.steps = {{Op::Uniform, -1, 3}, {Op::Mul, 2, 0}, {Op::Add, 1, 0}};
  const Moments uniform = moments(filled<float>(spec));
  EXPECT_NEAR(uniform.mean, 3, 0.03);
  EXPECT_NEAR(uniform.variance, 64.0 / 12, 0.1);
}
TEST(Fill, DrawsOneFactorForTheWholeTensor) {
  FillSpec spec = floats(Family::AsDrawn, 100);
  const std::vector<float> plain = filled<float>(spec);
  spec.steps.push_back({Op::MulUniform, 2, 3});
  const std::vector<float> scaled = filled<float>(spec);
  const float factor = scaled[1] / plain[1];
  EXPECT_GE(factor, 2);
  EXPECT_LE(factor, 3);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_NEAR(scaled[i], plain[i] * factor, 1e-6);
}
TEST(Fill, CoherentDataRoundsDownInEveryLowerPrecision) {
  for (const float v : filled<float>(floats(Family::Coherent))) {
    const auto u = std::bit_cast<std::uint32_t>(v);
    ASSERT_GT(v, 0);
    const auto round = [&](std::uint32_t drop) {
      return std::bit_cast<float>((u + (1u << (drop - 1))) & ~((1u << drop) - 1));
    };
    ASSERT_GT((v - round(13)) / v, 0x1.fp-13f);  // TF32 and FP16 keep ten fraction bits
    ASSERT_GT((v - round(16)) / v, 0x1.8p-10f);  // BF16 keeps seven
  }
}
TEST(Fill, FamiliesHoldWhatTheyPromise) {
  for (const float v : filled<float>(floats(Family::Denormal))) ASSERT_LT(std::fabs(v), 0x1p-123f);
  for (const float v : filled<float>(floats(Family::Huge))) {
    ASSERT_GE(std::fabs(v), 0x1p58f);
    ASSERT_LT(std::fabs(v), 0x1p62f);
  }
  const std::vector<float> constant = filled<float>(floats(Family::Constant));
  EXPECT_EQ(std::count(constant.begin(), constant.end(), constant[0]), 100003);
  const std::vector<float> odd = filled<float>(floats(Family::NonFinite, 3));
  EXPECT_GE(std::count_if(odd.begin(), odd.end(), [](float v) { return !std::isfinite(v); }), 1);
  const std::vector<float> spiky = filled<float>(floats(Family::Spiky));
  EXPECT_GT(*std::max_element(spiky.begin(), spiky.end()), 4096);
  std::map<std::size_t, float> rows;
  const std::vector<float> scaled = filled<float>(floats(Family::RowScaled));
  for (std::size_t i = 0; i < 100000; ++i)
    rows[i / 100] = std::max(rows[i / 100], std::fabs(scaled[i]));
  const auto [low, high] = std::minmax_element(
      rows.begin(), rows.end(), [](auto& a, auto& b) { return a.second < b.second; });
  EXPECT_LT(low->second, 0x1p-18f);
  EXPECT_GT(high->second, 0x1p18f);
}
TEST(Fill, FamiliesLeaveIntegersAndCodesAlone) {
  FillSpec spec = floats(Family::Huge, 1000);
  spec.dtype = DType::I64;
  spec.steps = {{Op::Integers, -3, 5}};
  for (const std::int64_t v : filled<std::int64_t>(spec)) {
    ASSERT_GE(v, -3);
    ASSERT_LT(v, 5);
  }
}
TEST(Fill, CodesOfEightBitFloatsAreFinite) {
  FillSpec spec = floats(Family::AsDrawn, 100000);
  spec.dtype = DType::U8;
  spec.steps = {{Op::Codes, 0, 0}};
  spec.format.name = "mxfp8_e5m2";
  spec.format.element = {ElementKind::Float, 8, 5, 2, 15, 57344, true, true, 0};
  std::map<int, int> seen;
  for (const std::uint8_t v : filled<std::uint8_t>(spec)) ++seen[v];
  EXPECT_EQ(seen.size(), 2u * 124);
  EXPECT_FALSE(seen.contains(0x7C));
  spec.format.element = {ElementKind::Float, 8, 4, 3, 7, 448, false, true, 0};
  seen.clear();
  for (const std::uint8_t v : filled<std::uint8_t>(spec)) ++seen[v];
  EXPECT_EQ(seen.size(), 254u);
  EXPECT_FALSE(seen.contains(0xFF));
  spec.steps = {{Op::Scales, -3, 2}};
  spec.format.scale = ScaleKind::E8M0;
  seen.clear();
  for (const std::uint8_t v : filled<std::uint8_t>(spec)) ++seen[v];
  EXPECT_EQ(seen.size(), 6u);
  EXPECT_EQ(seen.begin()->first, 124);
}
TEST(Fill, CoherentCodesStandForNumbersOfOneSign) {
  FillSpec spec = floats(Family::Coherent, 4000);
  spec.dtype = DType::U8;
  spec.steps = {{Op::Codes, 0, 0}};
  spec.format.name = "some";
  const auto bits_of = [&](ElementKind kind, int bits, bool zero_points) {
    spec.format.element = {};
    spec.format.element.kind = kind;
    spec.format.element.bits = bits;
    spec.zero_points = zero_points;
    std::uint8_t any = 0, every = 0xFF;
    for (const std::uint8_t v : filled<std::uint8_t>(spec)) {
      any = static_cast<std::uint8_t>(any | v);
      every = static_cast<std::uint8_t>(every & v);
    }
    return std::pair<int, int>(any, every);
  };
  using Bits = std::pair<int, int>;
  EXPECT_EQ(bits_of(ElementKind::Float, 4, false), Bits(0x77, 0));
  EXPECT_EQ(bits_of(ElementKind::SignedInt, 8, false), Bits(0x7F, 0));
  EXPECT_EQ(bits_of(ElementKind::UnsignedInt, 4, false), Bits(0xFF, 0x88));
  EXPECT_EQ(bits_of(ElementKind::UnsignedInt, 4, true), Bits(0x77, 0));
  EXPECT_EQ(bits_of(ElementKind::UnsignedInt, 6, false), Bits(0xFF, 0)) << "no whole bytes";
}
TEST(Fill, CoarseCoherentDataLieBelowTheTiesOfFp8) {
  FillSpec spec = floats(Family::Coherent, 4000);
  spec.coarse = true;
  for (const float v : filled<float>(spec)) {
    ASSERT_GE(v, 0.5f);
    ASSERT_LT(v, 2.0f);
    const double fraction = std::ldexp(v, -std::ilogb(v)) - 1;
    const double unit = fraction * 8;  // of E4M3
    ASSERT_GE(unit - std::floor(unit), 0.4375);
    ASSERT_LT(unit - std::floor(unit), 0.5);
    ASSERT_LT(fraction * 4 - std::floor(fraction * 4), 0.25);  // of E5M2
  }
}
TEST(Fill, RoundsToHalfAsHardwareDoes) {
  FillSpec spec = floats(Family::Normal, 20000);
  const std::vector<float> wide = filled<float>(spec);
  spec.dtype = DType::F16;
  const std::vector<std::uint16_t> half = filled<std::uint16_t>(spec);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    const auto want = std::bit_cast<std::uint16_t>(static_cast<_Float16>(wide[i]));
    ASSERT_EQ(half[i], want) << wide[i];
  }
}
TEST(Fill, RefusesDrawsWithoutASource) {
  FillSpec spec = floats(Family::AsDrawn, 4);
  spec.steps = {{Op::Mul, 2, 0}};
  std::vector<std::byte> out(16);
  EXPECT_FALSE(fill(spec, out));
}

TEST(Fill, KeepsTrianglesForEveryFamily) {
  for (const Family family : {Family::AsDrawn, Family::Normal, Family::NonFinite}) {
    FillSpec spec = floats(family, 2 * 7 * 5);
    spec.row = 5;
    spec.rows = 7;
    spec.steps = {{Op::Uniform, 1, 2}, {Op::Tril, -1, 0}};
    const auto lower = filled<float>(spec);
    spec.steps[1] = {Op::Triu, 1, 0};
    const auto upper = filled<float>(spec);
    for (int i = 0; i < 70; ++i) {
      const int row = i / 5 % 7, column = i % 5;
      EXPECT_EQ(lower[static_cast<std::size_t>(i)] == 0.0f, column - row > -1) << i;
      EXPECT_EQ(upper[static_cast<std::size_t>(i)] == 0.0f, column - row < 1) << i;
    }
  }
}

TEST(Fill, LeavesMasksAlone) {
  FillSpec spec = floats(Family::Huge, 9);
  spec.row = spec.rows = 3;
  spec.steps = {{Op::Constant, 1, 0}, {Op::Tril, 0, 0}};
  EXPECT_EQ(filled<float>(spec), (std::vector<float>{1, 0, 0, 1, 1, 0, 1, 1, 1}));
}

}  // namespace
}  // namespace kw::verify

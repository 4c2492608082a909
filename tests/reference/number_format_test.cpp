// The golden vectors of formats_and_systems.md section 15.

#include "kw/reference/number_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace kw::reference {
namespace {

using ::testing::ElementsAre;

Element floating(int bits, int exponent, int mantissa, int bias, double top, bool inf, bool nan) {
  return {ElementKind::Float, bits, exponent, mantissa, bias, top, inf, nan, 0};
}
Element integer(int bits) {
  Element e;
  e.kind = ElementKind::SignedInt;
  e.bits = bits;
  e.max_value = (1 << (bits - 1)) - 1;
  e.fraction_shift = bits - 2;
  return e;
}
const Element kE2M1 = floating(4, 2, 1, 1, 6, false, false);
const Element kE2M3 = floating(6, 2, 3, 1, 7.5, false, false);
const Element kE3M2 = floating(6, 3, 2, 3, 28, false, false);
const Element kE4M3 = floating(8, 4, 3, 7, 448, false, true);
const Element kE5M2 = floating(8, 5, 2, 15, 57344, true, true);

Format block_format(const char* name, Element element, ScaleRule rule) {
  Format f;
  f.name = name;
  f.element = element;
  f.rule = rule;
  if (rule == ScaleRule::Nv) {
    f.block = 16;
    f.scale = ScaleKind::E4M3;
    f.tensor_scale = true;
  }
  return f;
}

std::vector<float> golden_block() {
  std::vector<float> x;
  for (std::uint64_t i = 0; i < 32; ++i) {
    const auto raw = static_cast<double>((i * 2654435761u + 12345) % 65536) - 32768;
    x.push_back(static_cast<float>(raw / 8192 * (i == 5 ? 3 : 1)));
  }
  return x;
}

struct Quantized {
  std::vector<std::uint32_t> scales;
  std::vector<int> codes;
  double qsnr = 0;
};
Quantized quantize(const Format& format) {
  const std::vector<float> x = golden_block();
  double amax = 0;
  for (const float v : x) amax = std::fmax(amax, std::fabs(static_cast<double>(v)));
  const float factor = tensor_factor(format, amax);
  const auto row = quantize_row(format, x, factor);
  EXPECT_TRUE(row);
  const double t = format.tensor_scale ? static_cast<double>(1.0f / factor) : 1;
  const auto back = dequantize_row(format, *row, t, 32);
  EXPECT_TRUE(back);
  Quantized q;
  q.scales = row->scales;
  double noise = 0, signal = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    const double v = static_cast<double>(x[i]);
    noise += (v - (*back)[i]) * (v - (*back)[i]);
    signal += v * v;
    if (i >= 8) continue;
    const auto code = unpack_code(row->codes, format.element.bits, static_cast<std::int64_t>(i));
    const bool negative =
        format.element.kind == ElementKind::SignedInt && (code >> (format.element.bits - 1)) != 0;
    q.codes.push_back(static_cast<int>(code) - (negative ? 1 << format.element.bits : 0));
  }
  q.qsnr = -10 * std::log10(noise / signal);
  return q;
}

TEST(NumberFormat, EncodesTheGoldenScalars) {
  std::vector<double> rounded;
  for (const double v : {.25, .75, 1.25, 1.75, 2.5, 3.5, 5.0, 7.0}) {
    rounded.push_back(decode_code(kE2M1, encode_code(kE2M1, v)));
  }
  EXPECT_THAT(rounded, ElementsAre(0, 1, 1, 2, 2, 4, 4, 6));
  EXPECT_EQ(encode_code(kE4M3, 448), 0x7Eu);
  EXPECT_EQ(encode_code(kE4M3, 1e9), 0x7Eu);
  EXPECT_EQ(encode_code(kE4M3, 0x1p-9), 0x01u);
  EXPECT_EQ(encode_code(kE4M3, 0x1p-10), 0x00u);
  EXPECT_EQ(encode_code(kE4M3, 1), 0x38u);
  EXPECT_EQ(encode_code(kE4M3, -1), 0xB8u);
  EXPECT_EQ(encode_code(kE5M2, 1), 0x3Cu);
  EXPECT_EQ(encode_code(kE5M2, 57344), 0x7Bu);
  EXPECT_EQ(encode_code(kE5M2, 1e9), 0x7Bu);
  EXPECT_EQ(encode_code(kE5M2, 0x1p-16), 0x01u);
  EXPECT_EQ(encode_code(kE2M3, 1), 0x08u);
  EXPECT_EQ(encode_code(kE2M3, 7.5), 0x1Fu);
  EXPECT_EQ(encode_code(kE2M3, .125), 0x01u);
  EXPECT_EQ(encode_code(kE3M2, 1), 0x0Cu);
  EXPECT_EQ(encode_code(kE3M2, 28), 0x1Fu);
  EXPECT_EQ(encode_code(kE3M2, .0625), 0x01u);
}

TEST(NumberFormat, PacksSixBitCodesAsALittleEndianStream) {
  std::vector<std::uint8_t> bytes(3);
  for (std::uint32_t i = 0; i < 4; ++i) pack_code(bytes, 6, i, i);
  EXPECT_THAT(bytes, ElementsAre(0x40, 0x20, 0x0C));
}

TEST(NumberFormat, DecodesWhatItEncodes) {
  for (const Element& e : {kE2M1, kE2M3, kE3M2, kE4M3, kE5M2, integer(8), integer(6), integer(4)}) {
    for (std::uint32_t code = 0; code < (1u << e.bits); ++code) {
      const double v = decode_code(e, code);
      if (!std::isfinite(v) || std::fabs(v) > std::ldexp(e.max_value, -e.fraction_shift)) continue;
      EXPECT_EQ(decode_code(e, encode_code(e, v)), v);
    }
  }
}

struct Row {
  const char* name;
  Element element;
  ScaleRule rule;
  std::vector<std::uint32_t> scales;
  std::vector<int> codes;
  double qsnr;
};

TEST(NumberFormat, QuantizesTheGoldenBlock) {
  const std::vector<Row> rows = {
      {"mxint8",
       integer(8),
       ScaleRule::Ceil,
       {128},
       {-80, 42, -92, 29, -105, 50, -118, 4},
       48.7796},
      {"mxint8.ocp",
       integer(8),
       ScaleRule::Ocp,
       {128},
       {-80, 42, -92, 29, -105, 50, -118, 4},
       48.7796},
      {"mxint6", integer(6), ScaleRule::Ceil, {129}, {-10, 5, -12, 4, -13, 6, -15, 1}, 30.2436},
      {"mxint6.ocp",
       integer(6),
       ScaleRule::Ocp,
       {128},
       {-20, 10, -23, 7, -26, 13, -29, 1},
       36.2113},
      {"mxint4", integer(4), ScaleRule::Ceil, {129}, {-2, 1, -3, 1, -3, 2, -4, 0}, 18.1979},
      {"mxint4.ocp", integer(4), ScaleRule::Ocp, {128}, {-5, 3, -6, 2, -7, 3, -7, 0}, 22.9201},
      {"mxfp8", kE4M3, ScaleRule::Ceil, {121}, {242, 106, 244, 103, 245, 109, 247, 80}, 32.2788},
      {"mxfp8.ocp", kE4M3, ScaleRule::Ocp, {120}, {250, 114, 252, 111, 253, 117, 254, 88}, 25.7231},
      {"mxfp8e5m2",
       kE5M2,
       ScaleRule::Ceil,
       {114},
       {245, 113, 246, 111, 247, 114, 247, 100},
       26.5119},
      {"mxfp6", kE2M3, ScaleRule::Ceil, {127}, {50, 10, 52, 7, 53, 13, 55, 1}, 32.1546},
      {"mxfp6e3m2", kE3M2, ScaleRule::Ceil, {125}, {57, 21, 58, 19, 59, 22, 59, 8}, 26.5119},
      {"mxfp4", kE2M1, ScaleRule::Ceil, {127}, {12, 3, 13, 2, 13, 3, 14, 0}, 20.1977},
      {"mxfp4.ocp", kE2M1, ScaleRule::Ocp, {126}, {14, 5, 15, 4, 15, 5, 15, 1}, 16.4855},
      {"nvfp4", kE2M1, ScaleRule::Nv, {0x7E, 0x7E}, {14, 4, 14, 3, 15, 4, 15, 0}, 19.3349},
  };
  for (const Row& row : rows) {
    const Quantized q = quantize(block_format(row.name, row.element, row.rule));
    EXPECT_EQ(q.scales, row.scales) << row.name;
    EXPECT_EQ(q.codes, row.codes) << row.name;
    EXPECT_NEAR(q.qsnr, row.qsnr, 1e-3) << row.name;
  }
  Element int4 = integer(4);
  int4.fraction_shift = 0;  // NVINT4: the scale carries everything
  const Quantized q = quantize(block_format("nvint4", int4, ScaleRule::Nv));
  EXPECT_THAT(q.scales, ElementsAre(0x7E, 0x7E));
  EXPECT_THAT(q.codes, ElementsAre(-4, 2, -5, 2, -6, 3, -7, 0));
  EXPECT_NEAR(q.qsnr, 23.5120, 1e-3);
}

TEST(NumberFormat, MarksBlocksThatHoldNanOrInfinity) {
  std::vector<float> x = golden_block();
  x[3] = std::nanf("");
  const auto mx = quantize_row(block_format("mxfp4", kE2M1, ScaleRule::Ceil), x, 1);
  ASSERT_TRUE(mx);
  EXPECT_EQ(mx->scales[0], 0xFFu);
  EXPECT_THAT(mx->codes, ::testing::Each(0));
  const auto back = dequantize_row(block_format("mxfp4", kE2M1, ScaleRule::Ceil), *mx, 1, 32);
  EXPECT_TRUE(std::isnan((*back)[0]));
}

TEST(NumberFormat, GroupsOfUnsignedCodesUseTheirWholeRange) {
  Format f;
  f.name = "woq4";
  f.element.kind = ElementKind::UnsignedInt;
  f.element.bits = 4;
  f.element.max_value = 15;
  f.block = 32;
  f.scale = ScaleKind::F16;
  f.rule = ScaleRule::AffineSymmetric;
  const auto row = quantize_row(f, golden_block(), 1);
  ASSERT_TRUE(row);
  // The larger side is negative (x_5 is positive, times 3: amax 3.93 lies at some element): its
  // code is 0 or, with a negative scale, also 0.
  std::uint32_t least = 15;
  for (std::int64_t i = 0; i < 32; ++i) least = std::min(least, unpack_code(row->codes, 4, i));
  EXPECT_EQ(least, 0u);
  f.rule = ScaleRule::AffineAsymmetric;
  f.zero_point = true;
  const auto affine = quantize_row(f, golden_block(), 1);
  ASSERT_TRUE(affine);
  const auto back = dequantize_row(f, *affine, 1, 32);
  ASSERT_TRUE(back);
  const double step = decode_scale(ScaleKind::F16, affine->scales[0]);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_LE(std::fabs((*back)[i] - static_cast<double>(golden_block()[i])), step * 1.001);
  }
}

}  // namespace
}  // namespace kw::reference

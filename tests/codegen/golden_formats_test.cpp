// The published block x_i = (((i * 2654435761 + 12345) mod 65536) - 32768) / 8192, x_5 tripled,
// and its encodings: scale bytes and the first eight codes, bit by bit.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vm_scene.h"

namespace kw::codegen {
namespace {

using testing_vm::Bytes;

std::vector<float> golden_block() {
  std::vector<float> x;
  for (std::uint64_t i = 0; i < 32; ++i) {
    const auto number = static_cast<std::int64_t>((i * 2654435761u + 12345u) % 65536u);
    x.push_back(static_cast<float>(number - 32768) / 8192.0f);
  }
  x[5] *= 3;
  return x;
}

struct Expected {
  const char* format;
  std::vector<int> scales;
  std::vector<int> codes;  // signed for integer formats
};

std::vector<int> first_codes(const Format& format, const Bytes& bytes) {
  std::vector<int> codes;
  const int bits = format.element.bits;
  for (int i = 0; i < 8; ++i) {
    int code = std::to_integer<int>(bytes[static_cast<std::size_t>(i * bits / 8)]);
    code = (code >> (i * bits % 8)) & ((1 << bits) - 1);
    const bool negative = format.element.kind == ElementKind::SignedInt && code >> (bits - 1) != 0;
    codes.push_back(negative ? code - (1 << bits) : code);
  }
  return codes;
}

TEST(GoldenFormats, EncodersGiveThePublishedBytes) {
  if (!testing_vm::compiler().info()) GTEST_SKIP() << "no NVRTC here";
  const auto device = verify::open_device("vm").value();
  const std::vector<Expected> all = {
      {"mxint8", {128}, {-80, 42, -92, 29, -105, 50, -118, 4}},
      {"mxfp8", {121}, {242, 106, 244, 103, 245, 109, 247, 80}},
      {"mxfp4", {127}, {12, 3, 13, 2, 13, 3, 14, 0}},
      {"nvfp4", {0x7E, 0x7E}, {14, 4, 14, 3, 15, 4, 15, 0}},
      {"nvint4", {0x7E, 0x7E}, {-4, 2, -5, 2, -6, 3, -7, 0}},
  };
  for (const Expected& expected : all) {
    const Format format = find_format(expected.format).value();
    const Task task =
        format_task(std::string(expected.format) + "/quantize?rows=1&k=32", true).value();
    const auto candidates = generate(task, virtual_machine_target(), 2);
    ASSERT_TRUE(candidates) << candidates.error().message;
    for (const Candidate& candidate : *candidates) {
      const auto outputs =
          testing_vm::run(*device, candidate, {{"x", testing_vm::bytes_of(golden_block())}});
      ASSERT_TRUE(outputs.contains("codes")) << expected.format;
      std::vector<int> scales;
      for (const std::byte b : outputs.at("scales")) scales.push_back(std::to_integer<int>(b));
      EXPECT_EQ(scales, expected.scales) << expected.format << " " << candidate.cover;
      EXPECT_EQ(first_codes(format, outputs.at("codes")), expected.codes)
          << expected.format << " " << candidate.cover;
      if (format.tensor_scale) {
        const float g =
            std::string(expected.format) == "nvfp4" ? 684.0026245117188f : 798.0030517578125f;
        EXPECT_EQ(testing_vm::values_of<float>(outputs.at("tensor_scale")),
                  std::vector<float>{1.0f / g});
      }
    }
  }
}

}  // namespace
}  // namespace kw::codegen

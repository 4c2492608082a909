#include "kw/bench/suites.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace kw::bench {
namespace {

using ::testing::HasSubstr;

TEST(Suites, FirstFortyOneAreBothOthersTogether) {
  const auto suite = find_suite("first41@small");
  ASSERT_TRUE(suite);
  EXPECT_EQ(suite->tasks.size(), 41u);
  EXPECT_EQ(std::set(suite->tasks.begin(), suite->tasks.end()).size(), 41u);
  EXPECT_EQ(suite->tasks.front(), "kernelbench:1/1@small");
  EXPECT_EQ(suite->tasks.back(), "format:woq_w4_asym/gemv?m=1&n=67&k=2080");
}

TEST(Suites, NameTheNearestOnesWhenThereIsNone) {
  const auto suite = find_suite("firts41");
  ASSERT_FALSE(suite);
  EXPECT_EQ(suite.error().code, Errc::NotFound);
  EXPECT_THAT(suite.error().message, HasSubstr("first41"));
}

TEST(FormatTaskName, IsReadAndWrittenUnchanged) {
  const auto name = parse_format_task_name("format:nvfp4/gemv?m=1&n=4096&k=4096");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->format, "nvfp4");
  EXPECT_EQ(name->op, FormatOp::Gemv);
  EXPECT_EQ(name->sizes.at("n"), 4096);
  EXPECT_EQ(to_string(*name), "format:nvfp4/gemv?m=1&n=4096&k=4096");
}

TEST(FormatTaskName, FillsInSizesThatAreNotGiven) {
  const auto name = parse_format_task_name("format:mxfp4/quantize?k=100");
  ASSERT_TRUE(name);
  EXPECT_EQ(to_string(*name), "format:mxfp4/quantize?rows=8192&k=100");
  const auto small = parse_format_task_name("format:mxfp4/dequantize@small");
  ASSERT_TRUE(small);
  EXPECT_EQ(to_string(*small), "format:mxfp4/dequantize?rows=33&k=1056");
}

TEST(FormatTaskName, RefusesWhatItDoesNotUnderstandAndSaysWhat) {
  const auto message = [](std::string_view name) {
    const auto parsed = parse_format_task_name(name);
    return parsed ? std::string("accepted") : parsed.error().message;
  };
  EXPECT_THAT(message("format:mxfp4/gemm"), HasSubstr("nearest: gemv"));
  EXPECT_THAT(message("format:mxfp4/gemv?rows=4"), HasSubstr("gemv has no size 'rows'"));
  EXPECT_THAT(message("format:mxfp4/gemv?n=4&n=5"), HasSubstr("given twice"));
  for (const char* name :
       {"format:mxfp4/gemv?n=0", "format:mxfp4/gemv?n=-3",
        "format:mxfp4/gemv?n=", "format:mxfp4/gemv?n=4x",
        "format:mxfp4/gemv?n=99999999999999999999", "format:mxfp4/gemv?n=2147483649"}) {
    EXPECT_THAT(message(name), HasSubstr("must be in 1..")) << name;
  }
  EXPECT_THAT(message("format:../x/gemv"), HasSubstr("no operator"));
  EXPECT_THAT(message("format:/gemv"), HasSubstr("expected format:NAME"));
  EXPECT_THAT(message("formats:mxfp4/gemv"), HasSubstr("does not start"));
}

}  // namespace
}  // namespace kw::bench

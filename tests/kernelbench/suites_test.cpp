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
  EXPECT_EQ(suite->tasks.back(), "format:woq_w4_asym/gemv@small");
}

TEST(Suites, AtFullSizeCarryNoSuffix) {
  const auto suite = find_suite("formats21");
  ASSERT_TRUE(suite);
  EXPECT_EQ(suite->tasks.size(), 21u);
  EXPECT_EQ(suite->tasks.front(), "format:mxfp8/quantize");
}

TEST(Suites, SelectLevelsOfKernelBench) {
  const auto size = [](std::string_view name) {
    const auto suite = find_suite(name);
    return suite ? suite->tasks.size() : 0;
  };
  EXPECT_EQ(size("level1"), 100u);
  EXPECT_EQ(size("level3@small"), 50u);
  EXPECT_EQ(size("kernelbench250"), 250u);
  EXPECT_EQ(size("kernelbench:1,2,3"), 250u);
  EXPECT_EQ(size("kernelbench:3,1@small"), 150u);
  EXPECT_EQ(find_suite("kernelbench:2@small")->tasks.back(), "kernelbench:2/100@small");
  EXPECT_EQ(size("kernelbench:1/7"), 1u);
  EXPECT_EQ(size("kernelbench:1/7-9,3,2/100@small"), 54u);
  EXPECT_EQ(find_suite("kernelbench:1/7-9@small")->tasks.back(), "kernelbench:1/9@small");
  for (const char* wrong :
       {"kernelbench:1/0", "kernelbench:1/101", "kernelbench:3/9-8", "kernelbench:1/7,1/7",
        "kernelbench:1,1/7", "kernelbench:1/", "kernelbench:1/7-", "level1/7", "level4", "level",
        "level12", "kernelbench:", "kernelbench:4", "kernelbench:1,", "kernelbench:1,1",
        "kernelbench:12"}) {
    EXPECT_EQ(size(wrong), 0u) << wrong;
  }
}

TEST(Suites, NameTheNearestOnesWhenThereIsNone) {
  const auto suite = find_suite("firts41");
  ASSERT_FALSE(suite);
  EXPECT_EQ(suite.error().code, Errc::NotFound);
  EXPECT_THAT(suite.error().message, HasSubstr("first41"));
}

}  // namespace
}  // namespace kw::bench

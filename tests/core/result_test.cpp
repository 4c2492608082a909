#include "kw/core/result.h"

#include <gtest/gtest.h>

namespace {

kw::Result<int> half(int value) {
  if (value % 2 != 0) return kw::fail(kw::Errc::InvalidArgument, "{} is odd", value);
  return value / 2;
}

kw::Result<int> quarter(int value) {
  KW_ASSIGN(const int once, half(value));
  KW_ASSIGN(const int twice, half(once));
  return twice;
}

TEST(Result, PropagatesTheFirstErrorWithItsMessage) {
  EXPECT_EQ(quarter(8).value(), 2);
  const auto bad = quarter(6);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "3 is odd");
  EXPECT_EQ(kw::exit_code(bad.error().code), 2);
}

TEST(Result, WrapPutsContextInFront) {
  const auto wrapped = kw::wrap(half(3).error(), "reading block");
  EXPECT_EQ(wrapped.value().message, "reading block: 3 is odd");
}

}  // namespace

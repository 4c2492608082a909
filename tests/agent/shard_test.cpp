#include "shard.h"

#include <gtest/gtest.h>

namespace kw::agent {
namespace {

TEST(Shard, PartsCoverTheWholeOnce) {
  for (std::size_t item = 0; item < 10; ++item) {
    int owners = 0;
    for (const char* text : {"1/3", "2/3", "3/3"}) owners += parse_shard(text)->has(item) ? 1 : 0;
    EXPECT_EQ(owners, 1) << item;
  }
  EXPECT_TRUE(parse_shard("")->has(7));
}

TEST(Shard, RefusesWhatIsNoPart) {
  for (const char* text : {"0/3", "4/3", "1/0", "1", "/3", "1/", "1/3x", "-1/3", "a/b"}) {
    EXPECT_FALSE(parse_shard(text)) << text;
  }
}

}  // namespace
}  // namespace kw::agent

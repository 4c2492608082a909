#include "kw/launch/scratch.h"

#include <gtest/gtest.h>

#include "kw/core/random.h"
#include "kw/launch/bind.h"
#include "plans.h"

namespace {

using namespace kw;
using namespace kw::launch;

BoundBuffer scratch(std::int64_t bytes, std::size_t index, int first, int last) {
  BoundBuffer out;
  out.bytes = bytes;
  out.root = index;
  out.first_use = first;
  out.last_use = last;
  return out;
}

TEST(Scratch, SharesMemoryBetweenLivesThatDoNotMeet) {
  BoundPlan plan;
  plan.buffers = {scratch(1000, 0, 0, 1), scratch(1000, 1, 2, 3), scratch(500, 2, 1, 2)};
  const ScratchLayout layout = pack_scratch(plan);
  EXPECT_EQ(layout.offset, (std::vector<std::int64_t>{0, 0, 1024}));
  EXPECT_EQ(layout.bytes, 1024 + 512);
}

TEST(Scratch, KeepsWhatLivesAllTheTimeApart) {
  BoundPlan plan;
  plan.buffers = {scratch(10, 0, -1, -1), scratch(10, 1, 5, 5)};
  EXPECT_EQ(pack_scratch(plan).offset, (std::vector<std::int64_t>{0, 256}));
}

TEST(Scratch, NeverOverlapsTwoThatAreLiveTogether) {
  RandomStream random(7, purpose("scratch"));
  for (int round = 0; round < 200; ++round) {
    BoundPlan plan;
    for (std::size_t i = 0; i < 20; ++i) {
      const int from = static_cast<int>(random.below(12)) - 1;
      const int to = from < 0 ? -1 : from + static_cast<int>(random.below(4));
      plan.buffers.push_back(scratch(static_cast<std::int64_t>(random.below(3000)), i, from, to));
    }
    const ScratchLayout layout = pack_scratch(plan);
    for (std::size_t i = 0; i < 20; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const auto &a = plan.buffers[i], &b = plan.buffers[j];
        const bool together = a.first_use < 0 || b.first_use < 0 ||
                              (a.first_use <= b.last_use && b.first_use <= a.last_use);
        const bool apart = layout.offset[i] + a.bytes <= layout.offset[j] ||
                           layout.offset[j] + b.bytes <= layout.offset[i];
        EXPECT_TRUE(!together || apart);
      }
      EXPECT_EQ(layout.offset[i] % 256, 0);
      EXPECT_LE(layout.offset[i] + plan.buffers[i].bytes, layout.bytes);
    }
  }
}

}  // namespace

// Random programs under different schedules and instruction sets: no finding, one result.

#include <gtest/gtest.h>

#include "ptxvm/random_run.h"

namespace kw::ptxvm {
namespace {

class PtxVmRandomPrograms : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PtxVmRandomPrograms, GiveOneResultUnderEverySchedule) {
  constexpr std::uint64_t kPerGroup = 25;
  for (std::uint64_t seed = GetParam() * kPerGroup; seed < (GetParam() + 1) * kPerGroup; ++seed) {
    const random::Program program = random::generate(seed);
    const auto module = load(random::header() + program.text);
    ASSERT_TRUE(module) << "seed " << seed << ": " << module.error().message;
    Options plain, shuffled, reversed;
    plain.isa = HostIsa::Baseline;
    shuffled.isa = HostIsa::Avx2;
    shuffled.schedule = Schedule::Shuffled;
    shuffled.seed = seed;
    reversed.schedule = Schedule::Reversed;
    random::Buffers expected = random::buffers(program);
    ASSERT_EQ(random::run_on_vm(**module, program, expected, plain), "") << "seed " << seed;
    EXPECT_NE(random::difference(expected, random::buffers(program)), "") << "nothing was written";
    for (const Options& options : {shuffled, reversed}) {
      random::Buffers got = random::buffers(program);
      ASSERT_EQ(random::run_on_vm(**module, program, got, options), "") << "seed " << seed;
      EXPECT_EQ(random::difference(expected, got), "")
          << "seed " << seed << ": " << program.features;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, PtxVmRandomPrograms, testing::Range<std::uint64_t>(0, 8));

TEST(PtxVmRandomProgramGenerator, DependsOnTheSeedAlone) {
  EXPECT_EQ(random::generate(7).text, random::generate(7).text);
  EXPECT_NE(random::generate(7).text, random::generate(8).text);
}

}  // namespace
}  // namespace kw::ptxvm

// Launches on several host threads: their pool serves callers that come together, children of
// fork(), and budgets.

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "harness.h"

namespace kw::ptxvm {
namespace {

constexpr int kCount = 5000;

/// vadd on `threads` threads: what it gave, or nothing.
std::vector<float> sums(unsigned threads, const Options& given = {}) {
  Memory memory;
  const auto a = random_floats(kCount, 3), b = random_floats(kCount, 4);
  const auto pa = upload(memory, "a", a), pb = upload(memory, "b", b);
  const auto pc = memory.allocate("c", kCount * sizeof(float)).value();
  Options options = given;
  options.threads = threads;
  const auto report =
      run(kernels(), memory,
          {"vadd", {(kCount + 63) / 64}, {64}, 0, Arguments(pa, pb, pc, kCount).bytes}, options);
  if (!report || !report->clean()) return {};
  return download<float>(memory, pc);
}

TEST(PtxVmThreads, CallersThatComeTogetherEachGetTheirThreads) {
  const auto want = sums(1);
  ASSERT_EQ(want.size(), static_cast<std::size_t>(kCount));
  std::vector<std::vector<float>> got(12);
  {
    std::vector<std::jthread> callers;
    for (unsigned caller = 0; caller < 3; ++caller) {
      callers.emplace_back([&, caller] {
        for (unsigned k = 0; k < 4; ++k) got[4 * caller + k] = sums(2 + k);
      });
    }
  }
  for (const auto& each : got) EXPECT_EQ(each, want);
}

// ThreadSanitizer allows no threads in children of a process with several.
#if !defined(__SANITIZE_THREAD__)
TEST(PtxVmThreads, AChildOfForkHasAPoolOfItsOwn) {
  const auto want = sums(3);
  ASSERT_EQ(want.size(), static_cast<std::size_t>(kCount));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool same = sums(3) == want && sums(2) == want;
    _exit(same ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(sums(3), want);
}
#endif

TEST(PtxVmThreads, ABudgetOfTheLaunchHoldsForAllThreadsTogether) {
  Options options;
  options.launch_budget = 2000;  // a block that starts counts as 64
  for (const unsigned threads : {1u, 3u}) EXPECT_TRUE(sums(threads, options).empty()) << threads;
}

}  // namespace
}  // namespace kw::ptxvm

#include <gtest/gtest.h>

#include "serve_harness.h"

namespace kw::e2e {
namespace {

TEST(Serve, TwentyJobsEndOnceThoughTheDaemonIsKilledTwice) {
  int struck = 0;
  for (std::uint64_t seed = 20; seed < 25 && !HasFailure(); ++seed) {
    const ServeRun run = serve_and_kill(seed, 20, 2, std::chrono::milliseconds(4000));
    std::printf("seed %d: %d of 2 kills found unfinished jobs, all ended %lld ms after\n",
                static_cast<int>(seed), run.struck, static_cast<long long>(run.settled.count()));
    struck += run.struck;
  }
  EXPECT_GE(struck, 5);
}

}  // namespace
}  // namespace kw::e2e

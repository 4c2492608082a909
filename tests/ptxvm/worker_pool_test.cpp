// Processes that hang or die cost one program each.

#include "ptxvm/worker_pool.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

namespace kw::ptxvm {
namespace {

TEST(WorkerPool, AProgramThatHangsOrDiesIsLostAlone) {
  std::set<std::uint64_t> done;
  std::vector<std::pair<std::uint64_t, std::string>> lost;
  PoolHandlers handlers;
  handlers.start = [](std::FILE* out) {
    return [out](Range range) {
      for (std::uint64_t n = range.first; n < range.end; ++n) {
        std::fprintf(out, "at %d work\n", static_cast<int>(n));
        std::fflush(out);
        if (n == 13) pause();
        if (n == 22) _exit(1);
        std::fprintf(out, "ok %d\n", static_cast<int>(n));
      }
    };
  };
  handlers.line = [&](const std::string& line) { done.insert(std::stoull(line.substr(3))); };
  handlers.lost = [&](std::uint64_t n, const std::string& why) { lost.emplace_back(n, why); };
  PoolSettings settings;
  settings.workers = 3;
  settings.batch = 5;
  settings.patience_s = 3;
  EXPECT_EQ(run_in_workers(10, 20, settings, handlers), 0u);
  EXPECT_EQ(done.size(), 18u);
  EXPECT_FALSE(done.contains(13) || done.contains(22));
  EXPECT_THAT(lost, testing::UnorderedElementsAre(testing::Pair(13u, testing::HasSubstr("no end")),
                                                  testing::Pair(22u, testing::HasSubstr("died"))));
}

TEST(WorkerPool, ProgramsCompiledTogetherAreTriedAloneAfterADeath) {
  std::vector<std::uint64_t> done, lost;
  PoolHandlers handlers;
  handlers.start = [](std::FILE* out) {
    return [out](Range range) {
      std::fprintf(out, "at %d %s\n", static_cast<int>(range.first),
                   range.end - range.first > 1 ? "all together" : "alone");
      std::fflush(out);
      if (range.first <= 3 && 3 < range.end) _exit(1);
      for (std::uint64_t n = range.first; n < range.end; ++n)
        std::fprintf(out, "ok %d\n", static_cast<int>(n));
    };
  };
  handlers.line = [&](const std::string& line) { done.push_back(std::stoull(line.substr(3))); };
  handlers.lost = [&](std::uint64_t n, const std::string&) { lost.push_back(n); };
  PoolSettings settings;
  settings.batch = 8;
  EXPECT_EQ(run_in_workers(0, 8, settings, handlers), 0u);
  EXPECT_EQ(done, (std::vector<std::uint64_t>{0, 1, 2, 4, 5, 6, 7}));
  EXPECT_EQ(lost, (std::vector<std::uint64_t>{3}));
}

}  // namespace
}  // namespace kw::ptxvm

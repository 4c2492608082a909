// A thousand candidates, compile bombs among them: each is refused, the next one has its verdict
// within two seconds, and the judge holds at the end what it held at the beginning.

#include <cstdlib>

#include "isolation.h"

namespace kw::redteam {
namespace {

TEST(IsolationWhole, AThousandCandidatesLeaveNothingBehind) {
  const char* count = std::getenv("KW_CANDIDATES");
  const IsolationFigures f =
      isolate({.count = count == nullptr ? 1000 : std::strtoul(count, nullptr, 10), .bombs = true});
  if (f.candidates == 0) GTEST_SKIP() << "no NVRTC here";
  EXPECT_LT(f.slowest_next_s, 2);
  EXPECT_EQ(f.after.handles, f.before.handles);
  EXPECT_EQ(f.after.descendants, f.before.descendants);
  EXPECT_LT(f.after.resident_mb, f.before.resident_mb + 16);
}

}  // namespace
}  // namespace kw::redteam

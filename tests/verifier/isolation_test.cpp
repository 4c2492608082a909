// What a candidate does to itself costs nobody else: a sample, without what takes seconds to end.

#include "isolation.h"

namespace kw::redteam {
namespace {

TEST(Isolation, NothingOfACandidateStaysBehind) {
  const IsolationFigures f = isolate({.count = 24});
  if (f.candidates == 0) GTEST_SKIP() << "no NVRTC here";
  EXPECT_EQ(f.after.handles, f.before.handles);
  EXPECT_EQ(f.after.descendants, f.before.descendants);
  EXPECT_LT(f.after.resident_mb, f.before.resident_mb + 16);
}

}  // namespace
}  // namespace kw::redteam

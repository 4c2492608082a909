// What hostile candidates cost everybody else on a GPU: up to a thousand of them, compile bombs
// among them, within a bounded time. KW_CANDIDATES (1000), KW_SECONDS (120), KW_LANES (4: side by
// side).

#include <cstdlib>

#include "isolation.h"

namespace kw::redteam {
namespace {

std::size_t setting(const char* name, std::size_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

TEST(IsolationOnGpu, CandidatesLeaveNothingBehind) {
  // The judgement of the honest kernel takes its time on any day: what attacks may add is how long
  // it waits, two seconds.
  const IsolationFigures f = isolate({.device = "cuda",
                                      .count = setting("KW_CANDIDATES", 1000),
                                      .bombs = true,
                                      .lanes = static_cast<int>(setting("KW_LANES", 4)),
                                      .full = false,
                                      .within = std::chrono::seconds(setting("KW_SECONDS", 120))});
  if (f.candidates == 0) {
    if (std::getenv("KW_REQUIRE_GPU") != nullptr) FAIL() << "no usable CUDA driver or device";
    GTEST_SKIP() << "no GPU here";
  }
  EXPECT_LT(f.slowest_next_s, f.undisturbed_s + 2);
  EXPECT_EQ(f.after.handles, f.before.handles);
  EXPECT_EQ(f.after.descendants, f.before.descendants);
  EXPECT_LT(f.after.resident_mb, f.before.resident_mb + 32);
}

}  // namespace
}  // namespace kw::redteam

#include <gtest/gtest.h>
#include <signal.h>

#include "kw/process/child.h"

namespace {

using namespace kw::process;
using namespace std::chrono_literals;

TEST(Child, IsEndedByItsCpuLimit) {
  ChildOptions options;
  options.limits.cpu_seconds = 1;
  auto child = Child::spawn_role("spin", options).value();
  const Exit exit = child.wait(Wait::within(20s)).value();
  EXPECT_TRUE(exit.signal == SIGKILL || exit.signal == SIGXCPU) << to_string(exit);
}

}  // namespace

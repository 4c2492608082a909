#pragma once
// The judge against the red team in the virtual machine.

#include <gtest/gtest.h>

#include <cstdio>

#include "kw/compile/service.h"
#include "kw/redteam/redteam.h"

namespace kw::redteam {

inline const std::vector<Case>& all_cases() {
  static const std::vector<Case> kCases = [] {
    auto found = cases();
    EXPECT_TRUE(found) << (found ? "" : found.error().message);
    return found ? std::move(*found) : std::vector<Case>{};
  }();
  return kCases;
}

/// Every case of `filter`, or every `stride`-th without those that are slow by their nature.
inline void judge_all(const std::string& filter, std::size_t stride, bool slow_too,
                      std::uint64_t seed = 20261124) {
  compile::CompileOptions compiling{.processes = 1};
  // A busy machine must not make a slow compilation of an honest kernel a verdict.
  if (filter.starts_with("honest/")) compiling.deadline = std::chrono::seconds(60);
  compile::CompileService compiler(compiling);
  if (!compiler.info()) GTEST_SKIP() << "no NVRTC here";
  auto device = verify::open_device("vm");
  ASSERT_TRUE(device) << device.error().message;
  verify::Judge judge(compiler, **device);
  Options options;
  options.filter = filter;
  options.stride = stride;
  options.slow_too = slow_too;
  // The same inputs on every run of the tests; `doctor --red-team` draws fresh ones.
  options.seed = seed;
  const auto report = run(judge, all_cases(), options, {});
  ASSERT_TRUE(report) << report.error().message;
  for (const CaseResult& r : report->results) {
    if (r.finding == Finding::KnownGap) continue;
    EXPECT_EQ(r.finding, Finding::AsExpected)
        << r.which->name << ": " << r.kind << " " << r.check << " " << r.reason;
  }
  EXPECT_TRUE(report->sound());
  std::printf("%s", to_text(*report).c_str());
}

}  // namespace kw::redteam

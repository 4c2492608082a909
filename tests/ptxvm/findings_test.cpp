// Kernels with one bug each: found, with the line, and nothing else found.

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

void expect_only(const Report& report, FindingKind kind, const std::string& line) {
  ASSERT_EQ(report.findings.size(), 1u) << first_message(report);
  const Finding& f = report.findings.front();
  EXPECT_EQ(f.kind, kind) << f.message;
  EXPECT_EQ(f.site.source.line, line_of(line)) << f.message;
  EXPECT_EQ(f.site.file, "kernels.cu");
  EXPECT_FALSE(f.site.instruction.empty());
}

TEST(PtxVmFindings, AStoreBehindTheEndNamesTheAllocationAndOffset) {
  Memory memory;
  const auto a = upload(memory, "a", std::vector<float>(64, 1.0f));
  const auto c = memory.allocate("c", 64 * sizeof(float)).value();
  const Report report =
      run_kernel(kernels(), memory, "bug_out_of_bounds", {2}, {64}, Arguments(a, c, 64));
  expect_only(report, FindingKind::OutOfBounds, "out_of_bounds");
  const Finding& f = report.findings.front();
  EXPECT_EQ(f.allocation, "c");
  EXPECT_EQ(f.offset, 256);
  EXPECT_TRUE(f.is_write);
  EXPECT_EQ(f.site.block.x, 1u);
  EXPECT_EQ(f.site.lane, 0u);
  EXPECT_EQ(f.occurrences, 1u);
  EXPECT_TRUE(report.completed);
}

TEST(PtxVmFindings, AVectorLoadOffItsAlignmentIsMisaligned) {
  Memory memory;
  const auto a = upload(memory, "a", std::vector<float>(64, 1.0f));
  const auto c = memory.allocate("c", 64 * sizeof(float)).value();
  const Report report = run_kernel(kernels(), memory, "bug_misaligned", {1}, {32}, Arguments(a, c));
  expect_only(report, FindingKind::Misaligned, "misaligned");
  EXPECT_EQ(report.findings.front().occurrences, 24u);
}

TEST(PtxVmFindings, ReadingSharedMemoryThatNobodyWroteIsFoundOnlyWithTheCheckOn) {
  Memory memory;
  const auto c = memory.allocate("c", 64 * sizeof(float)).value();
  const Report report =
      run_kernel(kernels(), memory, "bug_uninitialised_shared", {1}, {64}, Arguments(c));
  expect_only(report, FindingKind::UninitialisedRead, "uninitialised_shared");
  EXPECT_EQ(report.findings.front().site.warp, 1u);
  Options off;
  off.check_uninitialised = false;
  EXPECT_TRUE(
      run_kernel(kernels(), memory, "bug_uninitialised_shared", {1}, {64}, Arguments(c), off)
          .clean());
}

TEST(PtxVmFindings, ReadingAGlobalAllocationThatNobodyWroteIsFound) {
  Memory memory;
  const auto a = memory.allocate("a", 256).value(), b = memory.allocate("b", 256).value(),
             c = memory.allocate("c", 256).value();
  ASSERT_TRUE(memory.set_initialised(a, 256, true));
  const Report report = run_kernel(kernels(), memory, "vadd", {1}, {64}, Arguments(a, b, c, 64));
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings.front().kind, FindingKind::UninitialisedRead);
  EXPECT_EQ(report.findings.front().allocation, "b");
  EXPECT_EQ(report.findings.front().occurrences, 64u);
}

TEST(PtxVmFindings, ABarrierThatHalfAWarpReachesIsDivergence) {
  Memory memory;
  const auto c = memory.allocate("c", 64 * sizeof(int)).value();
  const Report report =
      run_kernel(kernels(), memory, "bug_barrier_in_branch", {1}, {32}, Arguments(c));
  expect_only(report, FindingKind::BarrierDivergence, "barrier_in_branch");
  EXPECT_FALSE(report.completed);
}

TEST(PtxVmFindings, AnEndlessLoopStopsAtTheInstructionBudget) {
  Memory memory;
  const auto flag = upload(memory, "flag", std::vector<int>(1));
  Options options;
  options.instruction_budget = 200000;
  const Report report =
      run_kernel(kernels(), memory, "bug_endless_loop", {5}, {64}, Arguments(flag), options);
  expect_only(report, FindingKind::Watchdog, "endless_loop");
  EXPECT_EQ(report.findings.front().site.block.x, 0u);
  EXPECT_FALSE(report.completed);
}

TEST(PtxVmFindings, ANullPointerIsAnInvalidAddress) {
  Memory memory;
  const Report report =
      run_kernel(kernels(), memory, "bug_null", {1}, {32}, Arguments(std::uint64_t{0}));
  expect_only(report, FindingKind::InvalidAddress, "null");
  EXPECT_EQ(report.findings.front().site.lane, 3u);
}

TEST(PtxVmFindings, ATrapStopsTheLaunch) {
  Memory memory;
  const auto p = upload(memory, "p", std::vector<int>{1, 2, 9, 4});
  const Report report = run_kernel(kernels(), memory, "bug_trap", {1}, {4}, Arguments(p));
  expect_only(report, FindingKind::Trap, "trap");
  EXPECT_EQ(report.findings.front().site.lane, 2u);
  EXPECT_FALSE(report.completed);
}

TEST(PtxVmFindings, AShuffleThatNamesLanesThatNeverComeIsDivergence) {
  Memory memory;
  const auto p = upload(memory, "p", std::vector<int>(32, 7));
  const Report report =
      run_kernel(kernels(), memory, "bug_partial_shuffle", {1}, {32}, Arguments(p));
  expect_only(report, FindingKind::WarpDivergence, "partial_shuffle");
}

TEST(PtxVmFindings, AWriteToAReadOnlyAllocationIsFoundAndNotDone) {
  Memory memory;
  const auto a = upload(memory, "a", std::vector<float>(64, 1.0f)),
             c = upload(memory, "c", std::vector<float>(64, 5.0f));
  ASSERT_TRUE(memory.set_read_only(c, true));
  const Report report = run_kernel(kernels(), memory, "vadd", {1}, {64}, Arguments(a, a, c, 64));
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings.front().kind, FindingKind::ReadOnlyWrite);
  EXPECT_EQ(download<float>(memory, c), std::vector<float>(64, 5.0f));
}

TEST(PtxVmFindings, AreTheSameOnEveryRunAndWithSeveralThreads) {
  std::vector<std::string> first;
  for (int repeat = 0; repeat < 6; ++repeat) {
    Memory memory;
    const auto a = upload(memory, "a", std::vector<float>(64, 1.0f));
    const auto c = memory.allocate("c", 512).value();
    Options options;
    options.threads = repeat % 2 == 0 ? 1 : 3;
    const Report report = run_kernel(kernels(), memory, "bug_out_of_bounds", {20}, {64},
                                     Arguments(a, c, 1000), options);
    std::vector<std::string> now;
    for (const Finding& f : report.findings)
      now.push_back(f.message + std::to_string(f.occurrences));
    if (repeat == 0) first = now;
    EXPECT_EQ(now, first);
    EXPECT_EQ(now.size(), 1u);
  }
}

TEST(PtxVmFindings, ACancelledRunIsAnError) {
  Memory memory;
  const auto flag = upload(memory, "flag", std::vector<int>(1));
  const std::atomic<bool> cancel{true};
  Options options;
  options.cancel = &cancel;
  const auto report =
      run(kernels(), memory, {"bug_endless_loop", {1}, {32}, 0, Arguments(flag).bytes}, options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::Cancelled);
}

TEST(PtxVmLaunch, RefusesWhatDoesNotFitTheKernel) {
  Memory memory;
  const Arguments three(std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{0});
  EXPECT_EQ(run(kernels(), memory, {"nothing", {1}, {1}, 0, {}}).error().code, Errc::NotFound);
  EXPECT_EQ(run(kernels(), memory, {"vadd", {1}, {1}, 0, three.bytes}).error().code,
            Errc::InvalidArgument);
  const Arguments all(std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{0}, 0);
  EXPECT_EQ(run(kernels(), memory, {"vadd", {1}, {2048}, 0, all.bytes}).error().code,
            Errc::InvalidArgument);
  EXPECT_EQ(run(kernels(), memory, {"vadd", {0}, {32}, 0, all.bytes}).error().code,
            Errc::InvalidArgument);
  EXPECT_EQ(run(kernels(), memory, {"vadd", {1}, {32}, 1u << 20, all.bytes}).error().code,
            Errc::InvalidArgument);
}

}  // namespace
}  // namespace kw::ptxvm

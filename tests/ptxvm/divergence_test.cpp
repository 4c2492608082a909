// Lanes that part: where they meet again, whom warp operations wait for, and whom they do not.

#include "ptxvm/harness.h"
#include "ptxvm/random_run.h"

namespace kw::ptxvm {
namespace {

// Runs `body` on a warp whose lane l has l in %r1; the lane's result is %r2.
std::vector<std::uint32_t> on_a_warp(const std::string& body, Report* report = nullptr) {
  Snippet snippet(
      "mov.u32 %r1, %laneid;\nmov.u32 %r2, 0;\n"
      ".reg .b32 %mask, %left, %count;\n.reg .pred %odd;\n"
      "and.b32 %r3, %r1, 1;\nsetp.eq.u32 %odd, %r3, 1;\n" +
      body + "\nst.global.u32 [%rd2], %r2;");
  const auto out = snippet.map<std::uint32_t>(std::vector<std::uint32_t>(32));
  if (report != nullptr) *report = snippet.report;
  return out;
}

TEST(PtxVmDivergence, ABranchToTheNextInstructionPartsNobody) {
  // Round i of the loop is run by the lanes above i; each round ends in a branch around nothing.
  const auto out = on_a_warp(R"(
    mov.b32 %mask, -1;
    mov.u32 %count, %r1;
  TOP:
    setp.eq.u32 %p1, %count, 0;
    vote.sync.ballot.b32 %left, !%p1, %mask;
    @%p1 bra END;
    mov.b32 %mask, %left;
    sub.u32 %count, %count, 1;
    popc.b32 %r4, %left;
    add.u32 %r2, %r2, %r4;
    @%odd bra NEXT;
  NEXT:
    bra TOP;
  END:)");
  std::uint32_t want = 0;
  for (std::uint32_t lane = 0; lane < 32; want += 31 - lane, ++lane) EXPECT_EQ(out[lane], want);
}

TEST(PtxVmDivergence, ATableWhoseEntriesAreOnePlacePartsNobody) {
  const auto out = on_a_warp(R"(
    cases: .branchtargets NEXT, NEXT;
    brx.idx %r3, cases;
  NEXT:
    vote.sync.ballot.b32 %r2, %odd, -1;)");
  for (const std::uint32_t ballot : out) EXPECT_EQ(ballot, 0xaaaaaaaau);
}

TEST(PtxVmDivergence, LanesMeetAtOneWarpBarrierInDifferentRoundsOfALoop) {
  // Odd lanes come to the barrier in round 1, even ones in round 2: who waits behind the branch
  // must go on.
  const auto out = on_a_warp(R"(
    mov.u32 %count, 1;
  TOP:
    xor.b32 %r4, %count, %r1;
    and.b32 %r4, %r4, 1;
    setp.ne.u32 %p1, %r4, 0;
    @%p1 bra SKIP;
    bar.warp.sync -1;
    mov.u32 %r2, %count;
  SKIP:
    add.u32 %count, %count, 1;
    setp.lt.u32 %p1, %count, 3;
    @%p1 bra TOP;)");
  for (std::uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(out[lane], lane % 2 == 1 ? 1u : 2u);
}

TEST(PtxVmDivergence, WarpBarriersThatNameTheSameLanesMeetAnywhere) {
  const auto out = on_a_warp(R"(
    @%odd bra OTHER;
    bar.warp.sync -1;
    mov.u32 %r2, 7;
    bra END;
  OTHER:
    bar.warp.sync -1;
    mov.u32 %r2, 8;
  END:)");
  for (std::uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(out[lane], 7 + lane % 2);
}

TEST(PtxVmDivergence, NobodyWaitsForLanesThatHaveEnded) {
  // "if (lane >= 20) return;" before or after the others arrive.
  for (const char* guard : {"@!%p1 bra WORK; exit;\nWORK:", "@%p1 bra LAST;"}) {
    const auto out = on_a_warp("setp.gt.u32 %p1, %r1, 19;\n" + std::string(guard) + R"(
      vote.sync.ballot.b32 %r2, %odd, -1;
    LAST:)");
    for (std::uint32_t lane = 0; lane < 20; ++lane) EXPECT_EQ(out[lane], 0xaaaaau) << guard;
  }
}

std::string finding_of(const std::string& body) {
  const auto program = load(
      ".version 8.4\n.target sm_90\n.address_size 64\n.visible .entry k()\n"
      "{\n.reg .pred %p<4>;\n.reg .b32 %r<8>;\n.reg .f32 %f<8>;\n"
      "mov.u32 %r1, %laneid;\nsetp.lt.u32 %p1, %r1, 8;\n" +
      body + "\nret;\n}\n");
  if (!program) return program.error().message;
  Memory memory;
  const Report report = run_kernel(**program, memory, "k", {1}, {32}, Arguments());
  return report.clean() ? "" : std::string(to_string(report.findings.front().kind));
}

TEST(PtxVmDivergence, LanesThatWaitElsewhereAreMissed) {
  EXPECT_EQ(finding_of("@%p1 bra NEXT;\nvote.sync.any.pred %p2, %p1, -1;\n"
                       "NEXT: bar.warp.sync -1;"),
            "warp_divergence");
  EXPECT_EQ(finding_of("@%p1 bra NEXT;\nvote.sync.any.pred %p2, %p1, -1;\nNEXT: bar.sync 0;"),
            "warp_divergence");
}

TEST(PtxVmDivergence, AMatrixProductNeedsTheWholeWarp) {
  const std::string product =
      "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r2,%r3}, {%r4}, "
      "{%f0,%f1,%f2,%f3};";
  EXPECT_EQ(finding_of(product), "");
  EXPECT_EQ(finding_of("@%p1 exit;\n" + product), "warp_divergence");
}

TEST(PtxVmDivergence, RandomProgramsCutAnywhereAreClean) {
  // 4019 cut to 21 statements ends a loop with a branch around nothing.
  for (const std::uint64_t seed : {4019u, 7u, 11u}) {
    for (std::uint64_t limit = 1; limit <= random::generate(seed).statements; ++limit) {
      const random::Program program = random::generate(seed, limit);
      const auto module = load(random::header() + program.text);
      ASSERT_TRUE(module) << module.error().message;
      random::Buffers buffers = random::buffers(program);
      EXPECT_EQ(random::run_on_vm(**module, program, buffers, {}), "") << seed << " / " << limit;
    }
  }
}

}  // namespace
}  // namespace kw::ptxvm

// What orders accesses and what does not, beyond the seeded bugs of tests/ptxvm/corpus: both sides
// of a race are named, and findings do not depend on the number of host threads.

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

std::shared_ptr<const Program> kernel(const std::string& body, const std::string& shared = "") {
  const std::string ptx =
      ".version 8.0\n.target sm_80\n.address_size 64\n"
      ".visible .entry k(.param .u64 data)\n{\n"
      ".reg .pred %p<8>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<16>;\n" +
      shared + "ld.param.u64 %rd1, [data];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\n" + body +
      "\nret;\n}\n";
  const auto program = load(ptx);
  if (!program) throw std::runtime_error(program.error().message);
  return *program;
}

Report run_on(const Program& program, Dim3 grid, Dim3 block, unsigned threads = 1) {
  Memory memory;
  const auto data = upload(memory, "data", std::vector<int>(4096));
  Options options = with_all_checks();
  options.threads = threads;
  return run_kernel(program, memory, "k", grid, block, Arguments(data), options);
}

// Every block stores its number to data[first .. first + 31], first = 16 * block.
constexpr const char* kOverlap = R"(
  mul.lo.s32 %r3, %r2, 16;
  add.s32 %r3, %r3, %r1;
  mul.wide.s32 %rd2, %r3, 4;
  add.s64 %rd2, %rd1, %rd2;
  st.global.u32 [%rd2], %r2;)";

TEST(PtxVmRaces, ARaceBetweenBlocksNamesBothSides) {
  const Report report = run_on(*kernel(kOverlap), {2}, {32});
  ASSERT_EQ(report.findings.size(), 1u) << first_message(report);
  const Finding& f = report.findings.front();
  EXPECT_EQ(f.kind, FindingKind::Race);
  EXPECT_TRUE(f.is_write && f.other_is_write);
  EXPECT_EQ(f.allocation, "data");
  EXPECT_EQ(f.offset, 64);
  ASSERT_TRUE(f.other);
  EXPECT_EQ(f.site.block.x, 1u);
  EXPECT_EQ(f.site.lane, 0u);
  EXPECT_EQ(f.other->block.x, 0u);
  EXPECT_EQ(f.other->lane, 16u);
  EXPECT_EQ(f.other->instruction, f.site.instruction);
}

TEST(PtxVmRaces, FindingsAreTheSameWithSeveralHostThreads) {
  const auto program = kernel(kOverlap);
  const Report one = run_on(*program, {40}, {32});
  ASSERT_EQ(one.findings.size(), 1u);
  for (int repeat = 0; repeat < 5; ++repeat) {
    const Report many = run_on(*program, {40}, {32}, 4);
    ASSERT_EQ(many.findings.size(), 1u);
    EXPECT_EQ(many.findings[0].message, one.findings[0].message);
    EXPECT_EQ(many.findings[0].occurrences, one.findings[0].occurrences);
  }
}

TEST(PtxVmRaces, BlocksThatStoreTheSameValueDoNotRace) {
  const auto program = kernel(R"(
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], 7;)");
  EXPECT_TRUE(run_on(*program, {8}, {64}).clean());
  EXPECT_TRUE(run_on(*program, {8}, {64}, 3).clean());
}

constexpr const char* kShared = ".shared .align 4 .b8 s[256];\n";

// Lane l stores s[l], then reads s[l ^ 1].
std::string exchange(const std::string& between) {
  return R"(
    mov.u32 %r4, s;
    shl.b32 %r5, %r1, 2;
    add.s32 %r6, %r4, %r5;
    st.shared.u32 [%r6], %r1;
    )" + between +
         R"(
    xor.b32 %r7, %r5, 4;
    add.s32 %r7, %r4, %r7;
    ld.shared.u32 %r8, [%r7];
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u32 [%rd2], %r8;)";
}

TEST(PtxVmRaces, LanesInStepAreNotOrdered) {
  const Report report = run_on(*kernel(exchange(""), kShared), {1}, {32});
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].kind, FindingKind::Race);
  EXPECT_EQ(report.findings[0].occurrences, 32u);
}

TEST(PtxVmRaces, AVoteOrdersNoMemory) {
  const auto program = kernel(
      exchange("setp.ne.s32 %p1, %r1, 99;\nvote.sync.all.pred %p2, %p1, 0xffffffff;"), kShared);
  EXPECT_EQ(run_on(*program, {1}, {32}).findings.size(), 1u);
}

TEST(PtxVmRaces, WarpAndBlockBarriersOrderLanes) {
  EXPECT_TRUE(run_on(*kernel(exchange("bar.warp.sync 0xffffffff;"), kShared), {1}, {32}).clean());
  EXPECT_TRUE(run_on(*kernel(exchange("bar.sync 0;"), kShared), {1}, {64}).clean());
  EXPECT_TRUE(run_on(*kernel(exchange("bar.sync 3, 64;"), kShared), {1}, {64}).clean());
}

TEST(PtxVmRaces, AWarpBarrierOrdersOnlyTheLanesItNames) {
  // Lanes in pairs: a mask of the own pair is enough, one of the other half is not.
  const auto halves = [](const char* low, const char* high) {
    return exchange(std::string("setp.lt.u32 %p3, %r1, 16;\n@%p3 bar.warp.sync ") + low +
                    ";\n@!%p3 bar.warp.sync " + high + ";");
  };
  EXPECT_TRUE(run_on(*kernel(halves("0x0000ffff", "0xffff0000"), kShared), {1}, {32}).clean());
}

TEST(PtxVmRaces, AtomicsDoNotRaceWithOneAnother) {
  const auto program =
      kernel("red.global.add.u32 [%rd1], 1;\natom.global.max.u32 %r5, [%rd1], %r1;");
  EXPECT_TRUE(run_on(*program, {6}, {96}).clean());
  EXPECT_TRUE(run_on(*program, {6}, {96}, 3).clean());
}

TEST(PtxVmRaces, HalvesOfAWordAreApart) {
  const auto program = kernel(R"(
    cvt.u16.u32 %h1, %r1;
    mul.wide.u32 %rd2, %r1, 2;
    add.s64 %rd2, %rd1, %rd2;
    st.global.u16 [%rd2], %h1;)",
                              ".reg .b16 %h<4>;\n");
  EXPECT_TRUE(run_on(*program, {1}, {64}).clean());
}

}  // namespace
}  // namespace kw::ptxvm

// Calls through registers: tables of functions, virtual functions, what they must not do.

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

constexpr const char* kFunctions = R"(.version 8.4
.target sm_80
.address_size 64
.func (.param .b32 r) plus (.param .b32 a, .param .b32 b) ;
.func (.param .b32 r) minus (.param .b32 a, .param .b32 b) ;
.global .align 8 .u64 table[2] = {plus, minus};
.func (.param .b32 r) plus (.param .b32 a, .param .b32 b)
{ .reg .b32 %r<4>; ld.param.b32 %r1, [a]; ld.param.b32 %r2, [b]; add.u32 %r3, %r1, %r2;
  st.param.b32 [r], %r3; ret; }
.func (.param .b32 r) minus (.param .b32 a, .param .b32 b)
{ .reg .b32 %r<4>; ld.param.b32 %r1, [a]; ld.param.b32 %r2, [b]; sub.u32 %r3, %r1, %r2;
  st.param.b32 [r], %r3; ret; }
.func (.param .b32 r) wide (.param .b64 a)
{ .reg .b32 %r1; mov.u32 %r1, 1; st.param.b32 [r], %r1; ret; }
.func (.param .b32 r) deeper (.param .b32 a, .param .b32 b)
{ .reg .b32 %r<4>; .reg .b64 %f; ld.param.b32 %r1, [a]; ld.param.b32 %r2, [b];
  mov.u64 %f, deeper;
  { .param .b32 x; .param .b32 y; .param .b32 z; st.param.b32 [x], %r1; st.param.b32 [y], %r2;
    call (z), %f, (x, y), proto; ld.param.b32 %r3, [z]; }
  st.param.b32 [r], %r3; ret; }
)";

// A kernel that calls %rd4 with its lane and 3, and stores the result.
std::string module_with(const std::string& get_target, std::string functions = kFunctions) {
  return functions + R"(.visible .entry k(.param .u64 out)
{ .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .pred %p<4>;
  ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd1, %rd1, %rd2;
  and.b32 %r2, %r1, 1; setp.eq.u32 %p1, %r2, 1;
)" + get_target +
         R"(
  { .param .b32 x; .param .b32 y; .param .b32 z; st.param.b32 [x], %r1; mov.u32 %r3, 3;
    st.param.b32 [y], %r3;
    proto : .callprototype (.param .b32 _) _ (.param .b32 _, .param .b32 _);
    call (z), %rd4, (x, y), proto; ld.param.b32 %r4, [z]; }
  bar.warp.sync -1;
  st.global.u32 [%rd1], %r4; ret; }
)";
}

struct Outcome {
  std::vector<std::uint32_t> out;
  Report report;
  std::string error;
};
Outcome run_module(const std::string& text) {
  Outcome outcome;
  const auto program = load(text);
  if (!program) return {{}, {}, program.error().message};
  Memory memory;
  const auto out = memory.allocate("out", 128).value();
  const auto report = run(**program, memory, {"k", {1}, {32}, 0, Arguments(out).bytes}, {});
  if (!report) return {{}, {}, report.error().message};
  outcome.report = *report;
  outcome.out = download<std::uint32_t>(memory, out);
  return outcome;
}

TEST(PtxVmIndirectCalls, GoWhereEachLanesPointerSays) {
  // Through a table in global memory, by parity of the lane; the lanes meet again after the call.
  const Outcome o = run_module(
      module_with("mov.u64 %rd3, table; mul.wide.u32 %rd2, %r2, 8; add.s64 %rd3, %rd3, %rd2; "
                  "ld.global.u64 %rd4, [%rd3];"));
  ASSERT_EQ(o.error, "");
  ASSERT_TRUE(o.report.clean()) << first_message(o.report);
  for (std::uint32_t l = 0; l < 32; ++l) EXPECT_EQ(o.out[l], l % 2 == 1 ? l - 3 : l + 3);
}

TEST(PtxVmIndirectCalls, TakeTheAddressOfAFunctionInAnOperand) {
  const Outcome o = run_module(module_with("mov.u64 %rd4, minus; @%p1 mov.u64 %rd4, plus;"));
  ASSERT_EQ(o.error, "");
  ASSERT_TRUE(o.report.clean()) << first_message(o.report);
  for (std::uint32_t l = 0; l < 32; ++l) EXPECT_EQ(o.out[l], l % 2 == 1 ? l + 3 : l - 3);
}

TEST(PtxVmIndirectCalls, APointerToNoFunctionThatFitsIsAFinding) {
  for (const char* target : {"mov.u64 %rd4, 0;", "mov.u64 %rd4, wide;", "mov.u64 %rd4, %rd1;",
                             "mov.u64 %rd4, minus; add.s64 %rd4, %rd4, 1;"}) {
    const Outcome o = run_module(module_with(target));
    ASSERT_EQ(o.error, "");
    ASSERT_FALSE(o.report.findings.empty()) << target;
    EXPECT_EQ(o.report.findings.front().kind, FindingKind::InvalidAddress);
    EXPECT_NE(first_message(o.report).find("pointer to no function"), std::string::npos);
  }
}

TEST(PtxVmIndirectCalls, RecursionIsRefusedWhenItIsReached) {
  const Outcome o = run_module(module_with("mov.u64 %rd4, deeper;"));
  EXPECT_NE(o.error.find("recursive call through a register"), std::string::npos) << o.error;
  const Outcome other = run_module(module_with("mov.u64 %rd4, plus;"));
  EXPECT_EQ(other.error, "");
  EXPECT_TRUE(other.report.clean()) << first_message(other.report);
}

TEST(PtxVmIndirectCalls, ManyThatCallManyMeetTheBoundOnInlining) {
  std::string functions = ".version 8.4\n.target sm_80\n.address_size 64\n";
  for (int i = 0; i < 12; ++i) {
    const std::string n = std::to_string(i);
    functions += ".func (.param .b32 r) f" + n +
                 " (.param .b32 a, .param .b32 b)\n{ .reg .b64 %f; "
                 "mov.u64 %f, f" +
                 n + ";\n call (r), %f, (a, b), p; ret; }\n";
  }
  const Outcome o = run_module(module_with("mov.u64 %rd4, f0;", functions));
  EXPECT_NE(o.error.find("after inlining"), std::string::npos) << o.error;
}

}  // namespace
}  // namespace kw::ptxvm

// Registers that were never written and index arithmetic that wrapped: what is no finding.

#include "ptxvm/harness.h"

namespace kw::ptxvm {
namespace {

Options all() { return with_all_checks(); }

std::vector<Finding> findings_of(const std::string& body) {
  const std::string ptx =
      ".version 8.0\n.target sm_80\n.address_size 64\n"
      ".visible .entry k(.param .u64 data, .param .u32 n)\n{\n"
      ".reg .pred %p<8>;\n.reg .b32 %r<32>;\n.reg .b64 %rd<16>;\n"
      "ld.param.u64 %rd1, [data];\nld.param.u32 %r0, [n];\nmov.u32 %r1, %tid.x;\n" +
      body + "\nret;\n}\n";
  const auto program = load(ptx);
  if (!program) throw std::runtime_error(program.error().message);
  Memory memory;
  const auto data = upload(memory, "data", std::vector<int>(1024));
  return run_kernel(**program, memory, "k", {1}, {32}, Arguments(data, 0x40000000u), all())
      .findings;
}

std::string store_at(const std::string& index) {
  return index + R"(
    mul.wide.s32 %rd2, %r9, 4;
    add.s64 %rd3, %rd1, %rd2;
    st.global.u32 [%rd3], %r1;)";
}

TEST(PtxVmValues, AnIndexThatWrappedIsFoundWhereItIsUsed) {
  const auto found = findings_of(store_at("mul.lo.s32 %r8, %r0, 4;\nadd.s32 %r9, %r8, %r1;"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::IndexOverflow);
  EXPECT_EQ(found[0].site.instruction.substr(0, 9), "st.global");
  ASSERT_TRUE(found[0].other);
  EXPECT_EQ(found[0].other->instruction.substr(0, 10), "mul.lo.s32");
}

TEST(PtxVmValues, WrapsThatCancelAreNone) {
  EXPECT_TRUE(findings_of(store_at("mul.lo.s32 %r8, %r0, 4;\nmul.lo.s32 %r7, %r0, 4;\n"
                                   "add.s32 %r9, %r8, %r1;\nsub.s32 %r9, %r9, %r7;"))
                  .empty());
}

TEST(PtxVmValues, AHashThatIsCutToTheTableIsNone) {
  EXPECT_TRUE(findings_of(store_at("add.s32 %r8, %r1, 1;\nmul.lo.s32 %r8, %r8, 1664525;\n"
                                   "mul.lo.s32 %r8, %r8, 1013904223;\nshr.u32 %r9, %r8, 26;\n"
                                   "mad.lo.s32 %r9, %r9, 0, %r1;"))
                  .empty());
}

TEST(PtxVmValues, ANegativeIndexInRangeIsNone) {
  EXPECT_TRUE(findings_of(store_at("add.s32 %r8, %r1, -40;\nadd.s32 %r9, %r8, 40;")).empty());
}

TEST(PtxVmValues, AnAddressThatIsNotUsedIsNone) {
  EXPECT_TRUE(
      findings_of("mul.lo.s32 %r8, %r0, 4;\nadd.s32 %r9, %r8, %r1;\nsetp.lt.s32 %p1, %r0, 0;\n"
                  "mul.wide.s32 %rd2, %r9, 4;\nadd.s64 %rd3, %rd1, %rd2;\n"
                  "@%p1 st.global.u32 [%rd3], %r1;")
          .empty());
}

TEST(PtxVmValues, ARegisterIsFoundOnlyOnTheLanesThatNeverWroteIt) {
  const auto found = findings_of(
      "setp.lt.u32 %p1, %r1, 20;\n@%p1 mov.u32 %r5, 1;\nadd.s32 %r6, %r5, 1;\n"
      "mul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd2, %rd1, %rd2;\nst.global.u32 [%rd2], %r6;");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, FindingKind::UninitialisedRegister);
  EXPECT_EQ(found[0].site.lane, 20u);
  EXPECT_TRUE(
      findings_of("setp.lt.u32 %p1, %r1, 20;\n@%p1 mov.u32 %r5, 1;\n@%p1 add.s32 %r6, %r5, 1;")
          .empty());
}

TEST(PtxVmValues, CopyingAnUnwrittenRegisterDecidesNothing) {
  EXPECT_TRUE(findings_of("mov.u32 %r6, %r5;").empty());
  EXPECT_EQ(findings_of("mov.u32 %r6, %r5;\nadd.s32 %r7, %r6, 1;\nst.global.u32 [%rd1], %r7;").size(), 1u);
}

}  // namespace
}  // namespace kw::ptxvm

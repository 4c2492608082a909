#include "log.h"

#include <gtest/gtest.h>

namespace {

using kw::Diagnostic;
using kw::compile::clean_utf8;
using kw::compile::parse_log;

TEST(Log, KeepsOnlyWhatIsLocatedInTheCandidate) {
  const auto found = parse_log(
      "/etc/passwd(1): error: this declaration has no storage class\n  root:x:0\n  ^\n"
      "candidate.cu(2): warning #177-D: variable \"u\" was declared but never referenced\n"
      "    int u;\n        ^\n"
      "candidate.cu(3): error: identifier \"x\" is undefined\n    x = 1;\n    ^\n"
      "2 errors detected in the compilation of \"candidate.cu\".\n",
      "");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].severity, Diagnostic::Severity::Error);
  EXPECT_EQ(found[0].line, 3);
  EXPECT_EQ(found[0].text, "identifier \"x\" is undefined");
  EXPECT_EQ(found[1].severity, Diagnostic::Severity::Warning);
}

TEST(Log, GivesAHeadersErrorTheLineThatLedToIt) {
  const auto found = parse_log(
      "cuda/std/tuple(7): error: static assertion failed\n  ^\n"
      "    detected during instantiation of \"f<T>\" at line 12 of candidate.cu\n",
      "", {"cuda/std/tuple"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].line, 12);
  EXPECT_EQ(found[0].text, "in <cuda/std/tuple>: static assertion failed");
}

TEST(Log, TracesAssemblerErrorsBackThroughThePtx) {
  const auto found = parse_log(
      "ptxas application ptx input, line 4; error   : Not a name of any known instruction: 'b'\n"
      "ptxas fatal   : Ptx assembly aborted due to errors\n",
      ".entry k {\n\t.loc\t1 7 3\n add;\n b;\n\t.loc 1 9 1\n}\n");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].line, 7);
  EXPECT_EQ(found[0].text, "assembler: Not a name of any known instruction: 'b'");
}

TEST(Log, IsCappedAndAlwaysValidUtf8) {
  std::string log;
  for (int i = 1; i < 500; ++i) {
    log += fmt::format("candidate.cu({}): error: bad\xff\xc3 \xe2\x82\xac{}\n", i,
                       std::string(2000, 'x'));
  }
  const auto found = parse_log(log, "");
  ASSERT_EQ(found.size(), 64u);
  EXPECT_TRUE(found[0].text.starts_with("bad?? \xe2\x82\xac"));
  EXPECT_LE(found[0].text.size(), 512u);
  EXPECT_EQ(clean_utf8("\xed\xa0\x80\x01"), "????");
}

}  // namespace

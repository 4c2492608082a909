#include "source_scan.h"

#include <gtest/gtest.h>

namespace {

using kw::compile::scan_source;

TEST(SourceScan, FindsIncludesWithTheirLines) {
  const auto scan = scan_source("// a\n#include <cuda_fp16.h>\n\n#  include \"mma.h\" // tail\n");
  ASSERT_EQ(scan.includes.size(), 2u);
  EXPECT_EQ(scan.includes[0].name, "cuda_fp16.h");
  EXPECT_EQ(scan.includes[0].line, 2);
  EXPECT_EQ(scan.includes[1].name, "mma.h");
  EXPECT_EQ(scan.includes[1].line, 4);
  EXPECT_TRUE(scan.refusals.empty());
}

TEST(SourceScan, SeesThroughDisguises) {
  for (const char* text : {
           "#include \"/etc/passwd\"\n",
           "  /* x */ # /* y\n */ include \"/etc/passwd\"\n",
           "%:include \"/etc/passwd\"\n",
           "?\?=include \"/etc/passwd\"\n",
           "#inc\\\nlude \"/etc/passwd\"\n",
           "#inc\\  \nlude \"/etc/passwd\"\n",
           "#inc?\?/\nlude \"/etc/passwd\"\n",
           "#include_next \"/etc/passwd\"\n",
           "#import \"/etc/passwd\"\n",
           "const char* s = R\"x(\n)x\";\n#include \"/etc/passwd\"\n",
       }) {
    const auto scan = scan_source(text);
    ASSERT_EQ(scan.includes.size(), 1u) << text;
    EXPECT_EQ(scan.includes[0].name, "/etc/passwd") << text;
  }
}

TEST(SourceScan, IsNotFooledByCommentsAndLiterals) {
  const auto scan = scan_source(
      "// #include <a>\n/* \n#include <b>\n*/\nconst char* s = \"\\\n#include <c>\";\n"
      "const char* r = R\"(\n#include <d>\n__DATE__)\"; int big = 1'000'000; char q = '\"';\n"
      "// tail \\\n#include <e>\nint x; # include <f>\n");
  EXPECT_TRUE(scan.includes.empty());
  EXPECT_TRUE(scan.refusals.empty());
}

TEST(SourceScan, RefusesWhatCannotBeSeenThrough) {
  for (const char* text :
       {"#define F \"/etc/passwd\"\n#include F\n", "#if __has_include(\"/etc/passwd\")\n#endif\n",
        "const char* s = __DATE__;\n", "const char* s = __TI\\\nME__;\n", "#line 5 \"x.cu\"\n",
        "# 12 \"x.cu\"\n", "_Pragma(\"diag_suppress 1\")\n"}) {
    EXPECT_EQ(scan_source(text).refusals.size(), 1u) << text;
  }
  EXPECT_TRUE(scan_source("#define U _Pragma(\"unroll 4\")\n#pragma unroll\n").refusals.empty());
}

TEST(SourceScan, SurvivesAnyPrefixOfAnyText) {
  const std::string text = "%:include \"a\\\n\" R\"abc(x)abc\" '\\'' /* */ _Pragma(\"unroll\") #";
  for (std::size_t i = 0; i <= text.size(); ++i) (void)scan_source(text.substr(0, i));
}

}  // namespace

// The coverage table in docs/ptxvm.md is what the code does. KW_UPDATE_DOCS=1 writes it there.

#include "kw/ptxvm/coverage.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "harness.h"

namespace kw::ptxvm {
namespace {

constexpr std::string_view kBegin = "<!-- coverage: begin -->\n", kEnd = "<!-- coverage: end -->";

TEST(Coverage, TheCommittedTableIsTheGeneratedOne) {
  const std::string path = KW_SOURCE_DIR "/docs/ptxvm.md";
  std::string page = read_file(path);
  const std::size_t begin = page.find(kBegin), end = page.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end);
  const std::size_t from = begin + kBegin.size();
  const std::string table = coverage_table();
  if (std::getenv("KW_UPDATE_DOCS") != nullptr) {
    page.replace(from, end - from, table);
    std::ofstream(path, std::ios::binary) << page;
    return;
  }
  EXPECT_TRUE(page.substr(from, end - from) == table)
      << "docs/ptxvm.md is not up to date: run this test with KW_UPDATE_DOCS=1";
}

TEST(Coverage, ARefusalNamesTheOpcode) {
  for (const InstructionForm& form : coverage()) {
    if (form.runs()) continue;
    EXPECT_EQ(form.refusal.code, Errc::Unsupported) << form.statement << ": " << form.refusal.message;
    EXPECT_NE(form.refusal.message.find(form.opcode.substr(0, form.opcode.find('.'))),
              std::string::npos)
        << form.statement << ": " << form.refusal.message;
  }
}

}  // namespace
}  // namespace kw::ptxvm

// Every seeded bug of the corpus is found, with its kind and its line; no corrected twin has a
// finding, under every check and in any order of blocks and warps.

#include <gtest/gtest.h>

#include <algorithm>

#include "kw/compile/service.h"
#include "ptxvm/seeded_case.h"

namespace kw::ptxvm {
namespace {

constexpr const char* kFamilies[] = {"bounds", "alignment", "uninitialised", "race",    "barrier",
                                     "warp",   "async",     "wrap",          "endless", "trap"};

std::filesystem::path corpus() { return KW_SOURCE_DIR "/tests/ptxvm/corpus"; }

std::vector<std::filesystem::path> files_of(const std::string& family) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(corpus() / family)) {
    if (entry.path().extension() == ".cu") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::shared_ptr<const Program> compile(const SeededCase& seeded, bool fixed) {
  static compile::CompileService service({.processes = 1});
  CompileRequest request{seeded.source, "sm_80", {}};
  if (fixed) request.defines.push_back("FIXED=1");
  const auto result = service.compile(request, {});
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return nullptr;
  }
  const auto* module = std::get_if<CompiledModule>(&*result);
  if (module == nullptr) {
    for (const Diagnostic& d : std::get<CompileFailure>(*result).diagnostics)
      ADD_FAILURE() << "line " << d.line << ": " << d.text;
    return nullptr;
  }
  const auto program = load(module->ptx);
  if (!program) {
    ADD_FAILURE() << program.error().message;
    return nullptr;
  }
  return *program;
}

std::optional<Report> run_once(const Program& program, const SeededCase& seeded,
                               const Options& options) {
  Memory memory;
  const auto launch = make_launch(seeded, memory);
  if (!launch) {
    ADD_FAILURE() << launch.error().message;
    return std::nullopt;
  }
  auto report = run(program, memory, *launch, options);
  if (!report) {
    ADD_FAILURE() << report.error().message;
    return std::nullopt;
  }
  return std::move(*report);
}

Options options_for(Schedule schedule) {
  Options options = with_all_checks();
  options.count_memory = true;
  options.schedule = schedule;
  options.reverse_lanes = schedule == Schedule::Reversed;
  options.pauses = schedule == Schedule::Shuffled;
  options.seed = 7;
  options.instruction_budget = 1 << 16;
  return options;
}

constexpr Schedule kOrders[] = {Schedule::InOrder, Schedule::Reversed, Schedule::Shuffled};

void expect_found(const SeededCase& seeded) {
  const auto program = compile(seeded, false);
  if (!program) return;
  for (const Schedule order : kOrders) {
    const auto report = run_once(*program, seeded, options_for(order));
    if (!report) return;
    // A bug may have consequences (a race that is lost reads what nobody has written), but all at
    // its lines.
    EXPECT_TRUE(std::any_of(report->findings.begin(), report->findings.end(),
                            [&](const Finding& f) { return to_string(f.kind) == seeded.finds; }))
        << "not found in order " << static_cast<int>(order) << ": " << seeded.finds;
    for (const Finding& f : report->findings)
      EXPECT_TRUE(seeded.bug_lines.contains(f.site.source.line)) << f.message;
  }
}

void expect_clean(const SeededCase& seeded) {
  const auto program = compile(seeded, true);
  if (!program) return;
  for (const Schedule order : kOrders) {
    const auto report = run_once(*program, seeded, options_for(order));
    if (!report) return;
    EXPECT_TRUE(report->completed);
    for (const Finding& f : report->findings) ADD_FAILURE() << "in the twin: " << f.message;
  }
}

class SeededBugs : public testing::TestWithParam<const char*> {};

TEST_P(SeededBugs, AreFoundAndTheirTwinsAreClean) {
  const std::string family = GetParam();
  for (const std::filesystem::path& file : files_of(family)) {
    const std::string name = family + "/" + file.stem().string();
    SCOPED_TRACE(name);
    const auto seeded = read_seeded_case(file, name);
    if (!seeded) {
      ADD_FAILURE() << seeded.error().message;
      continue;
    }
    expect_found(*seeded);
    expect_clean(*seeded);
  }
}

INSTANTIATE_TEST_SUITE_P(Corpus, SeededBugs, testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param); });

TEST(SeededCorpus, HoldsAtLeastSixtyBugsInTheFamiliesThatAreRun) {
  std::size_t listed = 0, all = 0;
  for (const char* family : kFamilies) listed += files_of(family).size();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus()))
    all += entry.path().extension() == ".cu";
  EXPECT_EQ(listed, all);
  EXPECT_GE(listed, 60u);
}

}  // namespace
}  // namespace kw::ptxvm

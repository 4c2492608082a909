#include <limits>

#include "contract/store_contract.h"

namespace kw::store {
namespace {

using ::testing::IsEmpty;

TEST_P(StoreContract, KeepsTheNewestMeasurementOfAConfiguration) {
  const Config slow{{"block", 64}}, fast{{"block", 256}};
  KW_EXPECT_OK(store->record_tuning({"space", "GPU-1", slow, {9.0, "", 0.5}, 0}));
  KW_EXPECT_OK(
      store->record_tuning({"space", "GPU-1", fast, {std::nullopt, "wrong result", 0.1}, 0}));
  KW_EXPECT_OK(store->record_tuning({"space", "GPU-2", fast, {1.0, "", 0}, 0}));
  KW_EXPECT_OK(store->record_tuning({"space", "GPU-1", slow, {8.0, "", 0.25}, 0}));
  const std::vector<TuningRecord> records = store->tuning("space", "GPU-1").value();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].config, fast);
  EXPECT_FALSE(records[0].measurement.objective.has_value());
  EXPECT_EQ(records[0].measurement.failure, "wrong result");
  EXPECT_EQ(records[1].config, slow);
  EXPECT_EQ(records[1].measurement.objective, 8.0);
  EXPECT_EQ(records[1].measurement.cost_s, 0.25);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(code_of(store->record_tuning({"space", "GPU-1", slow, {nan, "", 0}, 0})),
            Errc::InvalidArgument);
}

TEST_P(StoreContract, KeepsTheNewestSanityOfATaskForEachJudge) {
  EXPECT_EQ(store->sanity("shape", "judge.1").value(), std::nullopt);
  KW_EXPECT_OK(store->record_sanity("shape", "judge.1", R"({"class":"genuine"})"));
  KW_EXPECT_OK(store->record_sanity("shape", "judge.1", R"({"class":"degenerate"})"));
  KW_EXPECT_OK(store->record_sanity("shape", "judge.2", R"({"class":"algebraic"})"));
  EXPECT_EQ(store->sanity("shape", "judge.1").value(), R"({"class":"degenerate"})");
  EXPECT_EQ(store->sanity("shape", "judge.2").value(), R"({"class":"algebraic"})");
  EXPECT_EQ(code_of(store->record_sanity("shape", "judge.1", "genuine")), Errc::InvalidArgument);
}

TEST_P(StoreContract, FindsLessonsByTheirWords) {
  const auto add = [&](const std::string& semantic, const std::string& topic,
                       const std::string& text) {
    return store->add_lesson({{}, semantic, topic, text, "", 0}).value();
  };
  const std::string race =
      add("sem", "race", "Two warps wrote one shared_memory slot: a barrier was missing.");
  const std::string pad =
      add("", "tuning", "Padding shared memory by one column removed bank conflicts.");
  const std::string umlaut = add("", "note", "Größe außerhalb");
  EXPECT_EQ(add("sem", "race", "Two warps wrote one shared_memory slot: a barrier was missing."),
            race);
  const auto search = [&](const std::string& text, const std::string& semantic = {}) {
    std::vector<std::string> ids;
    const std::vector<Lesson> lessons = store->search_lessons(text, 8, semantic).value();
    for (const Lesson& lesson : lessons) ids.push_back(lesson.id);
    return ids;
  };
  EXPECT_EQ(search("padding (bank-conflict)"), std::vector{pad});
  EXPECT_EQ(search("barriers"), std::vector{race});  // by stem
  EXPECT_EQ(search("GRÖSSE größe"), std::vector{umlaut});
  EXPECT_EQ(search("memory").size(), 2u);
  EXPECT_EQ(search("padding memory", "sem").front(), race);
  EXPECT_EQ(search("padding memory").front(), pad);
  // Not FTS5 syntax: text.
  EXPECT_THAT(search("\" OR * NEAR( : ^ -"), IsEmpty());
  EXPECT_THAT(search("'; DROP TABLE lesson; --"), IsEmpty());
  EXPECT_THAT(search(""), IsEmpty());
  EXPECT_EQ(code_of(store->add_lesson({})), Errc::InvalidArgument);
  const Lesson found = store->search_lessons("barrier").value().at(0);
  EXPECT_EQ(found.topic, "race");
  EXPECT_EQ(found.semantic, "sem");
  EXPECT_EQ(found.time_us, clock.wall_us());
}

TEST_P(StoreContract, KeepsBlobsUnderTheirContentId) {
  const std::string bytes("\0cubin\xff", 7);
  const std::string id = store->put_blob(bytes).value();
  EXPECT_EQ(store->put_blob(bytes).value(), id);
  EXPECT_EQ(store->get_blob(id).value(), bytes);
  EXPECT_EQ(store->get_blob(store->put_blob("").value()).value(), "");
  EXPECT_EQ(code_of(store->get_blob("none")), Errc::NotFound);
  const std::string large(kMaxBlobBytes, 'x');
  EXPECT_EQ(store->get_blob(store->put_blob(large).value()).value(), large);
  EXPECT_EQ(code_of(store->put_blob(large + "x")), Errc::ResourceExhausted);
}

TEST_P(StoreContract, RemembersCompiledModulesAndFailures) {
  CompiledModule module;
  module.ptx = ".version 8.0";
  module.cubin = std::string(
      "\x7f"
      "ELF\0\1",
      6);
  module.warnings.push_back({Diagnostic::Severity::Warning, 3, "unused \xff"});
  module.kernels["k"] = {32, 1024, 0};
  module.compiler = "NVRTC 13.0.88";
  module.arch = "sm_90";
  module.compile_ms = 12.5;
  CompileFailure failure{RejectKind::Timeout, {{Diagnostic::Severity::Error, 0, "gave up"}}};
  CompileCache& cache = store->compile_cache();
  EXPECT_FALSE(cache.get("a").has_value());
  cache.put("a", module);
  cache.put("b", failure);
  cache.put("a", failure);  // the first stays
  reopen();
  const auto hit = store->compile_cache().get("a");
  ASSERT_TRUE(hit.has_value());
  const auto& got = std::get<CompiledModule>(*hit);
  EXPECT_TRUE(got.from_cache);
  EXPECT_EQ(got.ptx, module.ptx);
  EXPECT_EQ(got.cubin, module.cubin);
  EXPECT_EQ(got.warnings.at(0).severity, Diagnostic::Severity::Warning);
  EXPECT_EQ(got.warnings.at(0).line, 3);
  EXPECT_EQ(got.kernels.at("k").shared_bytes, 1024);
  EXPECT_EQ(got.compiler, "NVRTC 13.0.88");
  EXPECT_EQ(got.compile_ms, 12.5);
  const auto failed = std::get<CompileFailure>(store->compile_cache().get("b").value());
  EXPECT_EQ(failed.kind, RejectKind::Timeout);
  EXPECT_EQ(failed.diagnostics.at(0).text, "gave up");
}

TEST_P(StoreContract, CountsWhatItHolds) {
  const std::string job = new_job();
  KW_EXPECT_OK(store->append(step(job, 0, decide(job), {"compile"})));
  KW_EXPECT_OK(store->put_blob("x"));
  const StoreStats stats = store->stats().value();
  EXPECT_EQ(stats.jobs, 1);
  EXPECT_EQ(stats.events, 1);
  EXPECT_EQ(stats.open_effects, 1);
  EXPECT_EQ(stats.blobs, 1);
  EXPECT_GT(stats.file_bytes, 0);
}

}  // namespace
}  // namespace kw::store

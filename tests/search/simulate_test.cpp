#include "kw/search/simulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "fakes/temp_dir.h"

namespace kw::search {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kData = KW_SOURCE_DIR "/tests/search/data";

// 4 x 3 x 3 points, of which 33 were tried and 28 measured; the optimum is 0.5 ms.
void expect_small(const TuningCache& cache) {
  EXPECT_EQ(cache.measurements.size(), 33u);
  EXPECT_EQ(cache.valid, 28u);
  EXPECT_DOUBLE_EQ(cache.optimum_us, 500);
  ASSERT_EQ(cache.space.parameters.size(), 3u);
  for (const Parameter& parameter : cache.space.parameters) {
    if (parameter.name == "block_size_x") {
      EXPECT_THAT(parameter.domain, ElementsAre(32, 64, 128, 256));
    }
    if (parameter.name == "mode") {
      EXPECT_THAT(parameter.domain, ElementsAre(0, 1, 2));
    }
  }
}

const Measurement& at(const TuningCache& cache, std::int64_t block, std::int64_t tile,
                      const std::string& mode) {
  const auto& labels = cache.labels.at("mode");
  const auto label = std::find(labels.begin(), labels.end(), mode) - labels.begin();
  return cache.measurements.at({{"block_size_x", block}, {"tile", tile}, {"mode", label}});
}

void expect_measurements(const TuningCache& cache) {
  EXPECT_DOUBLE_EQ(at(cache, 128, 2, "vector").objective.value(), 500);
  EXPECT_DOUBLE_EQ(at(cache, 64, 1, "plain").objective.value(), 1500);
  EXPECT_NEAR(at(cache, 128, 2, "vector").cost_s, 0.530, 1e-12);
  EXPECT_FALSE(at(cache, 256, 1, "async").objective.has_value());
  EXPECT_NEAR(at(cache, 256, 1, "async").cost_s, 0.525, 1e-12);
}

TEST(TuningCache, ReadsTheCacheForm) {
  const TuningCache cache = read_tuning_cache(kData / "small_cache.json.gz").value();
  expect_small(cache);
  expect_measurements(cache);
  EXPECT_EQ(cache.device, "A made-up device");
  EXPECT_EQ(cache.kernel, "made_up");
  EXPECT_EQ(cache.name, "small_cache.json.gz");
  EXPECT_EQ(at(cache, 256, 1, "async").failure, "CompilationFailedConfig");
  EXPECT_THAT(cache.labels.at("mode"), ElementsAre("plain", "vector", "async"));
}

TEST(TuningCache, ReadsTheT4Form) {
  const TuningCache cache = read_tuning_cache(kData / "small_t4.json.gz").value();
  expect_small(cache);
  expect_measurements(cache);
  EXPECT_EQ(at(cache, 256, 1, "async").failure, "compile");
  EXPECT_EQ(at(cache, 32, 4, "plain").failure, "runtime");
}

std::string error_of(const std::string& json) {
  const auto cache = parse_tuning_cache(json, "x.json");
  return cache ? "read" : cache.error().message;
}

std::string cache_with(const std::string& entries) {
  return R"({"tune_params_keys":["a"],"tune_params":{"a":[1,2]},"objective":"time","cache":{)" +
         entries + "}}";
}

TEST(TuningCache, SaysWhereAFileIsMalformed) {
  EXPECT_THAT(error_of("{"), HasSubstr("x.json"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("neither"));
  EXPECT_THAT(error_of(R"({"cache":{}})"), HasSubstr("tune_params_keys"));
  EXPECT_THAT(error_of(cache_with(R"("k":3)")), HasSubstr("/cache/k"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"time":1})")), HasSubstr("/cache/k/a"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"a":7,"time":1})")),
              HasSubstr("7 is not in the domain of a"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"a":1})")), HasSubstr("/cache/k/time"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"a":1,"time":-2})")), HasSubstr("positive"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"a":1,"time":[1]})")), HasSubstr("/cache/k/time"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"a":1,"time":1,"compile_time":-1})")),
              HasSubstr("compile_time"));
  EXPECT_THAT(error_of(cache_with(R"("k":{"a":1,"time":1},"l":{"a":1,"time":2})")),
              HasSubstr("second record"));
  EXPECT_THAT(error_of(R"({"tune_params_keys":["a"],"tune_params":{"a":[]},"cache":{}})"),
              HasSubstr("/tune_params/a: an empty domain"));
  EXPECT_THAT(error_of(R"({"tune_params_keys":["a"],"tune_params":{"a":[1,1]},"cache":{}})"),
              HasSubstr("twice"));
  EXPECT_THAT(
      error_of(
          R"({"tune_params_keys":["a"],"tune_params":{"a":[1]},"objective":"energy","cache":{}})"),
      HasSubstr("energy"));
  EXPECT_THAT(error_of(R"({"results":[]})"), HasSubstr("no configuration"));
  EXPECT_THAT(
      error_of(R"({"results":[{"configuration":{"a":1},"invalidity":"correct","times":{}}]})"),
      HasSubstr("measurements"));
  EXPECT_THAT(
      error_of(R"({"results":[{"configuration":{"a":[1]},"invalidity":"compile","times":{}}]})"),
      HasSubstr("parameter a"));
  EXPECT_EQ(error_of(cache_with(R"("k":{"a":1,"time":"InvalidConfig"})")), "read");
}

TEST(TuningCache, ReadsPlainFilesAndRefusesDamagedOnes) {
  fakes::TempDir directory;
  std::ofstream(directory / "plain.json") << cache_with(R"("k":{"a":1,"time":2})");
  EXPECT_DOUBLE_EQ(read_tuning_cache(directory / "plain.json").value().optimum_us, 2000);
  EXPECT_EQ(read_tuning_cache(directory / "absent.json.gz").error().code, Errc::NotFound);
  EXPECT_EQ(read_tuning_cache(directory.path()).error().code, Errc::NotFound);
  std::ifstream whole(kData / "small_cache.json.gz", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  std::ofstream(directory / "cut.json.gz", std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  const auto cut = read_tuning_cache(directory / "cut.json.gz");
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, Errc::Corrupt) << cut.error().message;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
  std::ofstream(directory / "flipped.json.gz", std::ios::binary) << bytes;
  EXPECT_FALSE(read_tuning_cache(directory / "flipped.json.gz").has_value());
}

TEST(TuningCache, RefusesAFileThatInflatesWithoutEnd) {
  fakes::TempDir directory;
  const std::string path = directory / "bomb.json.gz";
  const gzFile file = gzopen(path.c_str(), "wb1");
  ASSERT_NE(file, nullptr);
  const std::string blank(8u << 20, ' ');
  ASSERT_GT(gzwrite(file, blank.data(), static_cast<unsigned>(blank.size())), 0);
  ASSERT_EQ(gzclose(file), Z_OK);
  EXPECT_LT(std::filesystem::file_size(path), 100u << 10);
  EXPECT_EQ(read_tuning_cache(path, 4u << 20).error().code, Errc::ResourceExhausted);
}

TEST(Replay, AnswersFromTheRecordAndFailsWhereThereIsNone) {
  const TuningCache cache = read_tuning_cache(kData / "small_cache.json.gz").value();
  ReplayEvaluator evaluator(cache);
  EXPECT_DOUBLE_EQ(
      evaluator.evaluate({{"block_size_x", 128}, {"tile", 2}, {"mode", 1}}, {}).objective.value(),
      500);
  const Measurement unknown =
      evaluator.evaluate({{"block_size_x", 256}, {"tile", 4}, {"mode", 1}}, {});
  EXPECT_EQ(unknown.failure, "never tried");
  EXPECT_EQ(unknown.cost_s, 0);
}

TEST(Simulation, ScoresStrategiesByTheFractionOfTheOptimum) {
  const TuningCache cache = read_tuning_cache(kData / "small_cache.json.gz").value();
  SimulationOptions options;
  options.checkpoints = {1, 10, 33};
  options.seeds = 25;
  const SimulationReport report = simulate(cache, options).value();
  EXPECT_EQ(report.configurations, 33u);
  EXPECT_EQ(report.valid, 28u);
  ASSERT_EQ(report.scores.size(), 3u);
  for (const StrategyScore& score : report.scores) {
    ASSERT_EQ(score.checkpoints.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const Checkpoint& checkpoint = score.checkpoints[i];
      EXPECT_LE(checkpoint.worst, checkpoint.lower_quartile);
      EXPECT_LE(checkpoint.lower_quartile, checkpoint.median);
      EXPECT_LE(checkpoint.median, checkpoint.upper_quartile);
      if (i > 0) {
        EXPECT_GE(checkpoint.median, score.checkpoints[i - 1].median);
      }
    }
    EXPECT_EQ(score.checkpoints.back().worst, 1.0);  // all 33 were tried
    EXPECT_GT(score.median_cost_s, 33 * 0.52);
  }
  EXPECT_EQ(to_json(simulate(cache, options).value()), to_json(report));
  EXPECT_THAT(to_json(report), HasSubstr(R"("kind":"tuning_simulation")"));
}

TEST(Simulation, StopsEachSearchAtTheRecordedCost) {
  const TuningCache cache = read_tuning_cache(kData / "small_cache.json.gz").value();
  SimulationOptions options;
  options.checkpoints = {33};
  options.seeds = 5;
  options.seconds = 5;
  const SimulationReport report = simulate(cache, options).value();
  EXPECT_LT(report.scores[0].median_cost_s, 5.6);
  EXPECT_GE(report.scores[0].median_cost_s, 5.0);
}

TEST(Simulation, RefusesOptionsThatMeanNothing) {
  const TuningCache cache = read_tuning_cache(kData / "small_cache.json.gz").value();
  const auto code = [&](const TuningCache& of, const SimulationOptions& options) {
    const auto report = simulate(of, options);
    return report ? Errc::Internal : report.error().code;
  };
  SimulationOptions options;
  options.checkpoints = {50, 10};
  EXPECT_EQ(code(cache, options), Errc::InvalidArgument);
  options = {};
  options.strategies.clear();
  EXPECT_EQ(code(cache, options), Errc::InvalidArgument);
  options = {};
  options.seeds = 0;
  EXPECT_EQ(code(cache, options), Errc::InvalidArgument);
  const TuningCache nothing =
      parse_tuning_cache(cache_with(R"("k":{"a":1,"time":"InvalidConfig"})"), "x").value();
  EXPECT_EQ(code(nothing, {}), Errc::InvalidArgument);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(simulate(cache, {}, stopped.get_token()).error().code, Errc::Cancelled);
}

}  // namespace
}  // namespace kw::search

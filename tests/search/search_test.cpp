#include "kw/search/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "fakes/manual_clock.h"
#include "fakes/table_evaluator.h"

namespace kw::search {
namespace {

using fakes::TableEvaluator;
using ::testing::HasSubstr;

Parameter parameter(std::string name, std::vector<std::int64_t> domain, std::int64_t heuristic) {
  return {std::move(name), std::move(domain), heuristic};
}

/// 8 x 8 x 2 points; blocks above 1024 in all are not allowed.
ParameterSpace small_space() {
  ParameterSpace space;
  space.parameters = {parameter("block", {1, 2, 4, 8, 16, 32, 64, 128}, 32),
                      parameter("tile", {1, 2, 3, 4, 5, 6, 7, 8}, 4),
                      parameter("vector", {0, 1}, 0)};
  space.constraints = {Expr::parse("block * tile <= limit").value()};
  space.symbols = {{"limit", 512}};
  return space;
}

/// One valley: the optimum is block 64, tile 6, vector 1 at 10 us.
Measurement valley(const Config& config) {
  const double block = std::log2(static_cast<double>(config.at("block"))) - 6;
  const double tile = static_cast<double>(config.at("tile")) - 6;
  return {10 + block * block + tile * tile + (config.at("vector") == 1 ? 0 : 3), "", 0.5};
}

const Config kOptimum{{"block", 64}, {"tile", 6}, {"vector", 1}};

class EveryStrategy : public ::testing::TestWithParam<Strategy> {
 protected:
  Options options(std::uint64_t seed, std::size_t evaluations) {
    Options made;
    made.strategy = GetParam();
    made.seed = seed;
    made.budget.evaluations = evaluations;
    return made;
  }
};
INSTANTIATE_TEST_SUITE_P(Strategies, EveryStrategy,
                         ::testing::Values(Strategy::Random, Strategy::Local, Strategy::Annealing),
                         [](const auto& strategy) {
                           return std::string(to_string(strategy.param));
                         });

TEST_P(EveryStrategy, FindsTheOptimumOfASpaceItCanExhaust) {
  TableEvaluator evaluator(valley);
  const SearchResult result = search(small_space(), evaluator, options(1, 10'000)).value();
  EXPECT_EQ(result.best, kOptimum);
  EXPECT_EQ(result.best_objective, 10);
  EXPECT_EQ(result.stopped, StopReason::Exhausted);
  std::size_t allowed = 0;
  const ParameterSpace space = small_space();
  for (const std::int64_t block : space.parameters[0].domain) {
    for (std::int64_t tile = 1; tile <= 8; ++tile) allowed += block * tile <= 512 ? 2 : 0;
  }
  EXPECT_EQ(result.trace.size(), allowed);
}

TEST_P(EveryStrategy, NeverMeasuresAConfigurationTwiceNorAForbiddenOne) {
  TableEvaluator evaluator(valley);
  const ParameterSpace space = small_space();
  (void)search(space, evaluator, options(3, 10'000)).value();
  const std::set<Config> distinct(evaluator.evaluated.begin(), evaluator.evaluated.end());
  EXPECT_EQ(distinct.size(), evaluator.evaluated.size());
  for (const Config& config : distinct) EXPECT_TRUE(space.allows(config));
}

TEST_P(EveryStrategy, ReplaysFromItsSeed) {
  TableEvaluator first(valley), second(valley), other(valley);
  const SearchResult a = search(small_space(), first, options(7, 30)).value();
  const SearchResult b = search(small_space(), second, options(7, 30)).value();
  (void)search(small_space(), other, options(8, 30)).value();
  EXPECT_EQ(first.evaluated, second.evaluated);
  EXPECT_EQ(first.prefetched, second.prefetched);
  EXPECT_EQ(to_json(a), to_json(b));
  EXPECT_NE(first.evaluated, other.evaluated);
}

TEST_P(EveryStrategy, StopsAtTheEvaluationBudget) {
  for (const std::size_t budget : {0u, 1u, 3u, 7u}) {
    TableEvaluator evaluator(valley);
    const SearchResult result = search(small_space(), evaluator, options(5, budget)).value();
    EXPECT_EQ(evaluator.evaluated.size(), budget);
    EXPECT_EQ(result.stopped, StopReason::Evaluations);
    EXPECT_EQ(result.best.has_value(), budget > 0);
  }
}

TEST_P(EveryStrategy, StopsWhenTheRecordedCostReachesTheTimeBudget) {
  TableEvaluator evaluator(valley);
  Options limited = options(5, 1000);
  limited.budget.seconds = 5;  // 0.5 s each
  const SearchResult result = search(small_space(), evaluator, limited).value();
  EXPECT_EQ(result.trace.size(), 10u);
  EXPECT_EQ(result.stopped, StopReason::Seconds);
  EXPECT_DOUBLE_EQ(result.trace.back().spent_s, 5);
}

TEST_P(EveryStrategy, MeasuresTimeByTheClockItIsGiven) {
  fakes::ManualClock clock;
  TableEvaluator evaluator([&](const Config& config) {
    clock.advance(std::chrono::seconds(2));
    return valley(config);
  });
  Options limited = options(5, 1000);
  limited.budget.seconds = 5;
  limited.clock = &clock;
  EXPECT_EQ(search(small_space(), evaluator, limited).value().trace.size(), 3u);
}

TEST_P(EveryStrategy, PaysOnlyForAConfigurationThatFails) {
  TableEvaluator evaluator([](const Config& config) -> Measurement {
    if (config.at("tile") % 2 == 1) return {std::nullopt, "compile error", 0.1};
    if (config.at("block") == 1) return {std::numeric_limits<double>::quiet_NaN(), "", 0.1};
    return valley(config);
  });
  const SearchResult result = search(small_space(), evaluator, options(2, 10'000)).value();
  EXPECT_EQ(result.best, kOptimum);
  EXPECT_EQ(result.stopped, StopReason::Exhausted);
  for (const Step& step : result.trace) {
    if (step.config.at("block") == 1) {
      EXPECT_FALSE(step.measurement.objective.has_value());
    }
  }
}

TEST_P(EveryStrategy, HasNoBestWhenEverythingFails) {
  TableEvaluator evaluator([](const Config&) { return Measurement{std::nullopt, "no", 0}; });
  const SearchResult result = search(small_space(), evaluator, options(2, 10'000)).value();
  EXPECT_FALSE(result.best.has_value());
  EXPECT_EQ(result.stopped, StopReason::Exhausted);
  EXPECT_FALSE(result.trace.back().best_objective.has_value());
}

TEST_P(EveryStrategy, BeginsAtTheHeuristic) {
  TableEvaluator evaluator(valley);
  (void)search(small_space(), evaluator, options(2, 1)).value();
  EXPECT_EQ(evaluator.evaluated.at(0), small_space().heuristic());
}

TEST_P(EveryStrategy, TellsTheEvaluatorWhatComesNext) {
  TableEvaluator evaluator(valley);
  (void)search(small_space(), evaluator, options(2, 40)).value();
  std::size_t announced = 0;
  for (const Config& config : evaluator.evaluated) {
    announced += static_cast<std::size_t>(
        std::count(evaluator.prefetched.begin(), evaluator.prefetched.end(), config) > 0);
  }
  EXPECT_GE(announced, evaluator.evaluated.size() - 2);
}

TEST_P(EveryStrategy, StartsFromWhatIsKnownAndDoesNotMeasureItAgain) {
  Options informed = options(2, 10'000);
  informed.known = {
      {kOptimum, {1.0, "", 0}},
      {{{"block", 2}, {"tile", 2}, {"vector", 0}}, {std::nullopt, "wrong result", 0}},
      {{{"block", 3}, {"tile", 2}, {"vector", 0}}, {0.5, "", 0}}};  // not of this space
  TableEvaluator evaluator(valley);
  const SearchResult result = search(small_space(), evaluator, informed).value();
  EXPECT_EQ(result.best, kOptimum);
  EXPECT_EQ(result.best_objective, 1.0);
  EXPECT_EQ(std::count(evaluator.evaluated.begin(), evaluator.evaluated.end(), kOptimum), 0);
  EXPECT_EQ(result.trace.front().best_objective, 1.0);
}

TEST_P(EveryStrategy, StopsWhenAsked) {
  std::stop_source source;
  std::size_t calls = 0;
  TableEvaluator evaluator([&](const Config& config) {
    if (++calls == 5) {
      source.request_stop();
      return Measurement{std::nullopt, "cancelled", 0};
    }
    return valley(config);
  });
  const SearchResult result =
      search(small_space(), evaluator, options(2, 100), source.get_token()).value();
  EXPECT_EQ(result.stopped, StopReason::Cancelled);
  EXPECT_EQ(result.trace.size(), 4u);  // the one that was cut short says nothing
  EXPECT_EQ(calls, 5u);
}

TEST_P(EveryStrategy, WorksInASpaceTooLargeToList) {
  ParameterSpace space;
  for (int i = 0; i < 8; ++i) {
    std::vector<std::int64_t> domain;
    for (std::int64_t v = 0; v < 100; ++v) domain.push_back(v);
    space.parameters.push_back(parameter("p" + std::to_string(i), domain, 0));
  }
  TableEvaluator evaluator([](const Config& config) {
    double sum = 1;
    for (const auto& [name, value] : config) sum += static_cast<double>(value);
    return Measurement{sum, "", 0};
  });
  const SearchResult result = search(space, evaluator, options(2, 50)).value();
  EXPECT_EQ(result.trace.size(), 50u);
}

TEST_P(EveryStrategy, FindsTheOnlyAllowedConfiguration) {
  ParameterSpace space = small_space();
  space.constraints = {Expr::parse("block == 64 && tile == 6 && vector == 1").value()};
  TableEvaluator evaluator(valley);
  const SearchResult result = search(space, evaluator, options(2, 50)).value();
  EXPECT_EQ(result.best, kOptimum);
  EXPECT_EQ(result.stopped, StopReason::Exhausted);
  space.constraints = {Expr(0)};
  EXPECT_TRUE(search(space, evaluator, options(2, 50)).value().trace.empty());
}

TEST(LocalSearch, NeedsFewerMeasurementsThanTheWholeSpaceInAValley) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    TableEvaluator evaluator(valley);
    Options options;
    options.seed = seed;
    options.budget.evaluations = 60;  // of 120
    const SearchResult result = search(small_space(), evaluator, options).value();
    EXPECT_EQ(result.best, kOptimum) << "seed " << seed;
  }
}

TEST(Search, RefusesAMalformedSpace) {
  TableEvaluator evaluator(valley);
  const auto error = [&](const ParameterSpace& space) {
    const auto result = search(space, evaluator, {});
    return result ? std::string("searched") : result.error().message;
  };
  EXPECT_THAT(error({}), HasSubstr("without parameters"));
  ParameterSpace space;
  space.parameters = {parameter("a", {}, 0)};
  EXPECT_THAT(error(space), HasSubstr("a: its domain is empty"));
  space.parameters = {parameter("a", {2, 1}, 0)};
  EXPECT_THAT(error(space), HasSubstr("not ascending"));
  std::vector<std::int64_t> wide(1 << 16);
  for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<std::int64_t>(i);
  space.parameters.clear();
  for (int i = 0; i < 4; ++i) space.parameters.push_back(parameter(std::to_string(i), wide, 0));
  EXPECT_THAT(error(space), HasSubstr("2^62"));
}

TEST(Search, WritesItsTraceAsJson) {
  TableEvaluator evaluator(valley);
  Options options;
  options.budget.evaluations = 2;
  const std::string json = to_json(search(small_space(), evaluator, options).value());
  EXPECT_THAT(json, HasSubstr(R"("kind":"search_result")"));
  EXPECT_THAT(json, HasSubstr(R"("stopped":"evaluations")"));
  EXPECT_THAT(json, HasSubstr(R"("config":{"block":32,"tile":4,"vector":0})"));
}

}  // namespace
}  // namespace kw::search

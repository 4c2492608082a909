#include "kw/search/simulate.h"

#include <algorithm>

namespace kw::search {

namespace {

Status check(const TuningCache& cache, const SimulationOptions& options) {
  const auto& checkpoints = options.checkpoints;
  if (options.strategies.empty() || options.seeds == 0) {
    return fail(Errc::InvalidArgument, "a simulation needs a strategy and a seed");
  }
  if (checkpoints.empty() || checkpoints.front() == 0 ||
      std::adjacent_find(checkpoints.begin(), checkpoints.end(), std::greater_equal<>()) !=
          checkpoints.end()) {
    return fail(Errc::InvalidArgument, "checkpoints are numbers of evaluations, ascending from 1");
  }
  if (cache.valid == 0) {
    return fail(Errc::InvalidArgument, "{}: no configuration was measured", cache.name);
  }
  return {};
}

/// optimum / best found within so many evaluations; 0: nothing was.
double fraction_at(const TuningCache& cache, const SearchResult& result, std::size_t evaluations) {
  if (result.trace.empty()) return 0;
  const Step& step = result.trace[std::min(evaluations, result.trace.size()) - 1];
  return step.best_objective ? cache.optimum_us / *step.best_objective : 0;
}

/// Of sorted values, linear between ranks.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

Checkpoint summarise(std::size_t evaluations, std::vector<double> fractions) {
  std::sort(fractions.begin(), fractions.end());
  return {evaluations, quantile(fractions, 0.5), quantile(fractions, 0.25),
          quantile(fractions, 0.75), fractions.front()};
}

Result<StrategyScore> score(const TuningCache& cache, const SimulationOptions& options,
                            Strategy strategy, std::stop_token stop) {
  ReplayEvaluator evaluator(cache);
  Options search_options;
  search_options.strategy = strategy;
  search_options.budget = {options.checkpoints.back(), options.seconds};
  search_options.start_at_heuristic = false;  // the recorded space has none
  search_options.admit = [&cache](const Config& config) {
    return cache.measurements.contains(config);
  };
  std::vector<std::vector<double>> fractions(options.checkpoints.size());
  std::vector<double> costs;
  for (std::size_t i = 0; i < options.seeds; ++i) {
    search_options.seed = options.seed + i;
    KW_ASSIGN(const SearchResult result, search(cache.space, evaluator, search_options, stop));
    if (result.stopped == StopReason::Cancelled) return fail(Errc::Cancelled, "simulation stopped");
    for (std::size_t k = 0; k < options.checkpoints.size(); ++k) {
      fractions[k].push_back(fraction_at(cache, result, options.checkpoints[k]));
    }
    costs.push_back(result.trace.empty() ? 0 : result.trace.back().spent_s);
  }
  StrategyScore scored;
  scored.strategy = strategy;
  for (std::size_t k = 0; k < options.checkpoints.size(); ++k) {
    scored.checkpoints.push_back(summarise(options.checkpoints[k], std::move(fractions[k])));
  }
  std::sort(costs.begin(), costs.end());
  scored.median_cost_s = quantile(costs, 0.5);
  return scored;
}

}  // namespace

Measurement ReplayEvaluator::evaluate(const Config& config, std::stop_token) {
  const auto recorded = cache_.measurements.find(config);
  if (recorded == cache_.measurements.end()) return {std::nullopt, "never tried", 0};
  return recorded->second;
}

Result<SimulationReport> simulate(const TuningCache& cache, const SimulationOptions& options,
                                  std::stop_token stop) {
  KW_RETURN_IF_ERROR(check(cache, options));
  SimulationReport report;
  report.name = cache.name;
  report.device = cache.device;
  report.kernel = cache.kernel;
  report.configurations = cache.measurements.size();
  report.valid = cache.valid;
  report.optimum_us = cache.optimum_us;
  report.seeds = options.seeds;
  for (const Strategy strategy : options.strategies) {
    KW_ASSIGN(StrategyScore scored, score(cache, options, strategy, stop));
    report.scores.push_back(std::move(scored));
  }
  return report;
}

}  // namespace kw::search

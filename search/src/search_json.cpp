#include "kw/core/json.h"
#include "kw/search/search.h"
#include "kw/search/simulate.h"

namespace kw::search {

namespace {

Json step_json(const Step& step) {
  Json json{{"config", step.config}, {"spent_s", number_json(step.spent_s)}};
  json["cost_s"] = number_json(step.measurement.cost_s);
  if (step.measurement.objective) json["objective_us"] = number_json(*step.measurement.objective);
  if (!step.measurement.failure.empty()) json["failure"] = step.measurement.failure;
  if (step.best_objective) json["best_us"] = number_json(*step.best_objective);
  return json;
}

Json score_json(const StrategyScore& score) {
  Json checkpoints = Json::array();
  for (const Checkpoint& checkpoint : score.checkpoints) {
    checkpoints.push_back({{"evaluations", checkpoint.evaluations},
                           {"median", checkpoint.median},
                           {"lower_quartile", checkpoint.lower_quartile},
                           {"upper_quartile", checkpoint.upper_quartile},
                           {"worst", checkpoint.worst}});
  }
  return {{"strategy", to_string(score.strategy)},
          {"fraction_of_optimum", std::move(checkpoints)},
          {"median_cost_s", number_json(score.median_cost_s)}};
}

}  // namespace

std::string to_json(const SearchResult& result) {
  Json trace = Json::array();
  for (const Step& step : result.trace) trace.push_back(step_json(step));
  Json json{{"v", 1},
            {"kind", "search_result"},
            {"stopped", to_string(result.stopped)},
            {"evaluations", result.trace.size()},
            {"trace", std::move(trace)}};
  if (result.best) {
    json["best"] = {{"config", *result.best}, {"objective_us", number_json(result.best_objective)}};
  }
  return dump(json);
}

std::string to_json(const SimulationReport& report) {
  Json scores = Json::array();
  for (const StrategyScore& score : report.scores) scores.push_back(score_json(score));
  return dump({{"v", 1},
               {"kind", "tuning_simulation"},
               {"name", report.name},
               {"device", report.device},
               {"kernel", report.kernel},
               {"configurations", report.configurations},
               {"valid", report.valid},
               {"optimum_us", number_json(report.optimum_us)},
               {"seeds", report.seeds},
               {"scores", std::move(scores)}});
}

}  // namespace kw::search

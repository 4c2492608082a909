#pragma once
// Searching a space whose every configuration was measured before, by Kernel Tuner: how close does
// a strategy come to the optimum after how many evaluations? No GPU, and a seed replays it.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/interfaces.h"
#include "kw/core/result.h"
#include "kw/search/search.h"

namespace kw::search {

/// Larger files, compressed or not, are refused.
inline constexpr std::size_t kMaxCacheBytes = 256u << 20;
inline constexpr std::size_t kMaxCacheConfigurations = 1u << 20;

/// Recorded measurements of one kernel on one device. Objective: "time", in microseconds; cost_s is
/// what compiling, checking and benchmarking took then.
struct TuningCache {
  std::string name;  // of the file
  std::string device;
  std::string kernel;
  ParameterSpace space;  // constraints are not recorded: a configuration is allowed if it was tried
  /// Values that are no integers stand for themselves by position in the recorded domain.
  std::map<std::string, std::vector<std::string>> labels;
  std::map<Config, Measurement> measurements;
  std::size_t valid = 0;  // measurements with an objective
  double optimum_us = 0;  // the smallest
};

/// Reads either of Kernel Tuner's JSON forms: the cache ("tune_params" and "cache") and T4
/// ("results"). Errors name the place: line and column, or the JSON pointer.
Result<TuningCache> parse_tuning_cache(std::string_view json, std::string name);
/// The same from a file, gzipped or plain.
/// ResourceExhausted when it holds more than `limit` bytes of text.
Result<TuningCache> read_tuning_cache(const std::filesystem::path& path,
                                      std::size_t limit = kMaxCacheBytes);

/// Replays recorded measurements. Thread-safe.
class ReplayEvaluator final : public Evaluator {
 public:
  /// `cache` outlives this.
  explicit ReplayEvaluator(const TuningCache& cache) : cache_(cache) {}
  /// A configuration that was never tried fails and costs nothing.
  Measurement evaluate(const Config& config, std::stop_token stop) override;

 private:
  const TuningCache& cache_;
};

struct SimulationOptions {
  std::vector<Strategy> strategies{Strategy::Random, Strategy::Local, Strategy::Annealing};
  std::vector<std::size_t> checkpoints{10, 50, 100, 200};  // evaluations; the last is the budget
  double seconds = 0;       // of recorded cost per search; 0: no limit
  std::size_t seeds = 100;  // searches per strategy
  std::uint64_t seed = 0;   // of the first; the others follow
};

/// optimum / best found, over the seeds; 0 where nothing valid was found yet.
struct Checkpoint {
  std::size_t evaluations = 0;
  double median = 0;
  double lower_quartile = 0;
  double upper_quartile = 0;
  double worst = 0;
};

struct StrategyScore {
  Strategy strategy = Strategy::Random;
  std::vector<Checkpoint> checkpoints;
  double median_cost_s = 0;  // recorded cost of a whole search
};

struct SimulationReport {
  std::string name;
  std::string device;
  std::string kernel;
  std::size_t configurations = 0;
  std::size_t valid = 0;
  double optimum_us = 0;
  std::size_t seeds = 0;
  std::vector<StrategyScore> scores;
};

/// InvalidArgument when options are empty or out of order, or the cache holds no valid measurement.
Result<SimulationReport> simulate(const TuningCache& cache, const SimulationOptions& options,
                                  std::stop_token stop = {});

/// {"v":1,"kind":"tuning_simulation",...}
std::string to_json(const SimulationReport& report);

}  // namespace kw::search

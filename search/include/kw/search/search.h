#pragma once
// Looking for the best configuration of a declared space by measuring as few as possible. Pure
// logic: measuring, compiling and remembering are the Evaluator's; a seed replays a search exactly.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "kw/core/clock.h"
#include "kw/core/interfaces.h"
#include "kw/core/result.h"

namespace kw::search {

enum class Strategy {
  Random,     // without replacement
  Local,      // hill climbing over neighbours that change one parameter, restarted
  Annealing,  // simulated annealing over the same neighbours, cooled by the budget that is spent
};
std::string_view to_string(Strategy strategy) noexcept;
std::optional<Strategy> parse_strategy(std::string_view text) noexcept;

struct Budget {
  std::size_t evaluations = 200;
  double seconds = 0;  // 0: no limit in time
};

struct Options {
  Strategy strategy = Strategy::Local;
  std::uint64_t seed = 0;
  Budget budget;
  /// Time spent is this clock's; null: the sum of Measurement::cost_s (replays).
  Clock* clock = nullptr;
  /// Starts at ParameterSpace::heuristic() where the space allows it.
  bool start_at_heuristic = true;
  /// How many configurations the evaluator is told of ahead of time (Evaluator::prefetch).
  std::size_t prefetch = 8;
  /// What earlier searches measured: never measured again, not counted, and best from the start.
  std::vector<std::pair<Config, Measurement>> known;
  /// A restriction that no Expr says; null: none. Pure.
  std::function<bool(const Config&)> admit;
};

enum class StopReason { Evaluations, Seconds, Exhausted, Cancelled };
std::string_view to_string(StopReason reason) noexcept;

/// One evaluation, in order.
struct Step {
  Config config;
  Measurement measurement;
  std::optional<double> best_objective;  // so far, this one and what was known included
  double spent_s = 0;                    // when it ended
};

struct SearchResult {
  std::optional<Config> best;  // nothing: no configuration could be measured
  double best_objective = 0;   // microseconds; of `best`
  std::vector<Step> trace;     // the best-so-far curve
  StopReason stopped = StopReason::Exhausted;
};

/// A configuration whose measurement fails costs itself only; none is evaluated twice. The best is
/// the lowest objective, the earliest among equals. InvalidArgument when the space is malformed
/// (no parameters, an empty or unsorted domain, more than 2^62 points).
Result<SearchResult> search(const ParameterSpace& space, Evaluator& evaluator,
                            const Options& options, std::stop_token stop = {});

/// {"v":1,"kind":"search_result",...}, trace included.
std::string to_json(const SearchResult& result);

}  // namespace kw::search

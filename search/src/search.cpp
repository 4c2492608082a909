#include "kw/search/search.h"

#include "strategies.h"

namespace kw::search {

namespace {

/// The heuristic configuration if the space allows it and nobody measured it.
std::optional<Point> heuristic_start(const ParameterSpace& space, Explorer& explorer) {
  const auto point = explorer.points().point(space.heuristic());
  if (!point || !explorer.points().allowed(*point) || explorer.seen(*point)) return std::nullopt;
  return point;
}

}  // namespace

std::string_view to_string(Strategy strategy) noexcept {
  switch (strategy) {
    case Strategy::Random:
      return "random";
    case Strategy::Local:
      return "local";
    case Strategy::Annealing:
      return "annealing";
  }
  return "";
}

std::optional<Strategy> parse_strategy(std::string_view text) noexcept {
  for (const Strategy strategy : {Strategy::Random, Strategy::Local, Strategy::Annealing}) {
    if (to_string(strategy) == text) return strategy;
  }
  return std::nullopt;
}

std::string_view to_string(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::Evaluations:
      return "evaluations";
    case StopReason::Seconds:
      return "seconds";
    case StopReason::Exhausted:
      return "exhausted";
    case StopReason::Cancelled:
      return "cancelled";
  }
  return "";
}

Result<SearchResult> search(const ParameterSpace& space, Evaluator& evaluator,
                            const Options& options, std::stop_token stop) {
  KW_ASSIGN(Points points, Points::create(space, options.admit));
  Explorer explorer(std::move(points), evaluator, options, std::move(stop));
  std::optional<Point> start;
  if (options.start_at_heuristic) start = heuristic_start(space, explorer);
  if (!start && options.strategy != Strategy::Random) start = explorer.best();  // of what was known
  RandomStream random(options.seed, purpose("search.strategy"));
  switch (options.strategy) {
    case Strategy::Random:
      search_randomly(explorer, random, start);
      break;
    case Strategy::Local:
      climb_with_restarts(explorer, random, start);
      break;
    case Strategy::Annealing:
      anneal(explorer, random, start);
      break;
  }
  return std::move(explorer).result();
}

}  // namespace kw::search

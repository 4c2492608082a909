#pragma once
// What every strategy works through: measures a point at most once, keeps the budget and the trace,
// tells the evaluator what may come next.

#include <span>
#include <unordered_map>
#include <unordered_set>

#include "kw/search/search.h"
#include "points.h"

namespace kw::search {

/// Not thread-safe.
class Explorer {
 public:
  Explorer(Points points, Evaluator& evaluator, const Options& options, std::stop_token stop);

  /// False once the budget is spent, the space exhausted, or the search cancelled.
  bool open();
  /// What part of the budget is spent, 0 to 1.
  double spent() const;

  Points& points() { return points_; }
  bool seen(Point point) const { return seen_.contains(point); }
  /// The objective, measured now if it was not before; infinite when there is none. Callers ask
  /// open() first.
  double objective(Point point);
  /// An allowed point neither seen nor drawn before; nothing when there is none left.
  std::optional<Point> draw(RandomStream& random);
  /// There is nothing left to measure: the search is over.
  void exhaust() { exhausted_ = true; }
  /// The next points a strategy is likely to ask for, most likely first.
  void announce(std::span<const Point> points);
  std::size_t lookahead() const { return options_.prefetch; }

  std::optional<Point> best() const { return best_; }
  SearchResult result() &&;

 private:
  double spent_s() const;
  void learn(Point point, const Measurement& measurement);

  Points points_;
  Evaluator& evaluator_;
  const Options& options_;
  std::stop_token stop_;
  std::chrono::steady_clock::time_point start_;
  double cost_s_ = 0;
  bool exhausted_ = false;
  std::unordered_map<Point, double> seen_;  // objective; infinite when it failed
  std::unordered_set<Point> drawn_;
  std::optional<Point> best_;
  SearchResult result_;
};

}  // namespace kw::search

#include "explorer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kw::search {

namespace {
constexpr double kNone = std::numeric_limits<double>::infinity();
}

Explorer::Explorer(Points points, Evaluator& evaluator, const Options& options,
                   std::stop_token stop)
    : points_(std::move(points)), evaluator_(evaluator), options_(options), stop_(std::move(stop)) {
  if (options_.clock != nullptr) start_ = options_.clock->now();
  for (const auto& [config, measurement] : options_.known) {
    const auto point = points_.point(config);
    if (point && points_.allowed(*point)) learn(*point, measurement);
  }
}

double Explorer::spent_s() const {
  if (options_.clock == nullptr) return cost_s_;
  return std::chrono::duration<double>(options_.clock->now() - start_).count();
}

double Explorer::spent() const {
  const Budget& budget = options_.budget;
  double part = 1;
  if (budget.evaluations > 0) {
    part = static_cast<double>(result_.trace.size()) / static_cast<double>(budget.evaluations);
  }
  if (budget.seconds > 0) part = std::max(part, spent_s() / budget.seconds);
  return std::min(part, 1.0);
}

bool Explorer::open() {
  const auto end = [this](StopReason why) {
    result_.stopped = why;
    return false;
  };
  if (stop_.stop_requested()) return end(StopReason::Cancelled);
  if (exhausted_) return end(StopReason::Exhausted);
  if (result_.trace.size() >= options_.budget.evaluations) return end(StopReason::Evaluations);
  if (options_.budget.seconds > 0 && spent_s() >= options_.budget.seconds) {
    return end(StopReason::Seconds);
  }
  return true;
}

void Explorer::learn(Point point, const Measurement& measurement) {
  const double objective = measurement.objective.value_or(kNone);
  seen_[point] = std::isfinite(objective) ? objective : kNone;
  if (!std::isfinite(objective)) return;
  if (!best_ || objective < result_.best_objective) {
    best_ = point;
    result_.best_objective = objective;
  }
}

double Explorer::objective(Point point) {
  if (const auto known = seen_.find(point); known != seen_.end()) return known->second;
  Step step;
  step.config = points_.config(point);
  step.measurement = evaluator_.evaluate(step.config, stop_);
  // Cut short by the cancellation: it says nothing about the configuration.
  if (stop_.stop_requested() && !step.measurement.objective) return kNone;
  if (step.measurement.objective && !std::isfinite(*step.measurement.objective)) {
    step.measurement.objective.reset();
    step.measurement.failure = "the objective is not finite";
  }
  if (std::isfinite(step.measurement.cost_s)) cost_s_ += step.measurement.cost_s;
  learn(point, step.measurement);
  step.spent_s = spent_s();
  if (best_) step.best_objective = result_.best_objective;
  result_.trace.push_back(std::move(step));
  return seen_.at(point);
}

std::optional<Point> Explorer::draw(RandomStream& random) {
  const auto point = points_.draw(
      random, [this](Point candidate) { return !seen(candidate) && !drawn_.contains(candidate); });
  if (point) drawn_.insert(*point);
  return point;
}

void Explorer::announce(std::span<const Point> points) {
  std::vector<Config> next;
  for (const Point point : points) {
    if (next.size() == options_.prefetch) break;
    if (!seen(point)) next.push_back(points_.config(point));
  }
  if (!next.empty()) evaluator_.prefetch(next);
}

SearchResult Explorer::result() && {
  if (best_) result_.best = points_.config(*best_);
  return std::move(result_);
}

}  // namespace kw::search

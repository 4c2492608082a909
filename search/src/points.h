#pragma once
// A parameter space as numbered points, so that "seen before" is one look-up.

#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "kw/core/interfaces.h"
#include "kw/core/random.h"

namespace kw::search {

/// Mixed-radix number of a configuration's positions in the domains.
using Point = std::uint64_t;

/// Not thread-safe.
class Points {
 public:
  static Result<Points> create(const ParameterSpace& space,
                               std::function<bool(const Config&)> admit);

  Point size() const { return size_; }  // of the product, constraints aside
  Config config(Point point) const;
  std::optional<Point> point(const Config& config) const;  // nothing: outside of the domains
  /// By constraints and admit; remembered.
  bool allowed(Point point);
  /// Allowed points that differ from this one in one parameter, the nearest values first, in random
  /// order among equals.
  std::vector<Point> neighbours(Point point, RandomStream& random);
  /// A point that differs in one parameter (or this one, where no domain has two values), by a
  /// distance of d with a probability that falls as 2^-d. May not be allowed.
  Point step(Point point, RandomStream& random) const;
  /// An allowed point for which `wanted` holds, uniformly; nothing when none is found.
  std::optional<Point> draw(RandomStream& random, const std::function<bool(Point)>& wanted);

 private:
  Points(const ParameterSpace& space, std::function<bool(const Config&)> admit);
  std::uint64_t radix(std::size_t i) const { return space_->parameters[i].domain.size(); }
  std::optional<Point> draw_listed(RandomStream& random, const std::function<bool(Point)>& wanted);
  void list();

  const ParameterSpace* space_;  // outlives this
  std::function<bool(const Config&)> admit_;
  Point size_ = 1;
  std::vector<Point> stride_;  // of each parameter
  std::unordered_map<Point, bool> allowed_;
  std::optional<std::vector<Point>> listed_;  // allowed points not yet drawn (small spaces)
};

}  // namespace kw::search

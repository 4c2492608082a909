#include "points.h"

#include <algorithm>
#include <numeric>

namespace kw::search {

namespace {

constexpr Point kMaxPoints = Point{1} << 62;
/// Spaces up to this size are listed when a draw needs it; larger ones are drawn by rejection only.
constexpr Point kListable = Point{1} << 17;
constexpr int kRejections = 256;        // before a small space is listed
constexpr int kMaxRejections = 65'536;  // before a large space counts as exhausted

}  // namespace

Points::Points(const ParameterSpace& space, std::function<bool(const Config&)> admit)
    : space_(&space), admit_(std::move(admit)) {}

Result<Points> Points::create(const ParameterSpace& space,
                              std::function<bool(const Config&)> admit) {
  if (space.parameters.empty()) {
    return fail(Errc::InvalidArgument, "a parameter space without parameters");
  }
  Points points(space, std::move(admit));
  for (const Parameter& parameter : space.parameters) {
    const auto& domain = parameter.domain;
    if (domain.empty()) {
      return fail(Errc::InvalidArgument, "parameter {}: its domain is empty", parameter.name);
    }
    if (std::adjacent_find(domain.begin(), domain.end(), std::greater_equal<>()) != domain.end()) {
      return fail(Errc::InvalidArgument, "parameter {}: its domain is not ascending",
                  parameter.name);
    }
    points.stride_.push_back(points.size_);
    if (domain.size() > kMaxPoints / points.size_) {
      return fail(Errc::InvalidArgument, "a parameter space of more than 2^62 points");
    }
    points.size_ *= domain.size();
  }
  return points;
}

Config Points::config(Point point) const {
  Config config;
  for (std::size_t i = 0; i < stride_.size(); ++i) {
    const Parameter& parameter = space_->parameters[i];
    config[parameter.name] = parameter.domain[(point / stride_[i]) % radix(i)];
  }
  return config;
}

std::optional<Point> Points::point(const Config& config) const {
  if (config.size() != stride_.size()) return std::nullopt;
  Point point = 0;
  for (std::size_t i = 0; i < stride_.size(); ++i) {
    const Parameter& parameter = space_->parameters[i];
    const auto value = config.find(parameter.name);
    if (value == config.end()) return std::nullopt;
    const auto at =
        std::lower_bound(parameter.domain.begin(), parameter.domain.end(), value->second);
    if (at == parameter.domain.end() || *at != value->second) return std::nullopt;
    point += static_cast<Point>(at - parameter.domain.begin()) * stride_[i];
  }
  return point;
}

bool Points::allowed(Point point) {
  const auto [entry, fresh] = allowed_.try_emplace(point, false);
  if (fresh) {
    const Config candidate = config(point);
    entry->second = space_->allows(candidate) && (!admit_ || admit_(candidate));
  }
  return entry->second;
}

std::vector<Point> Points::neighbours(Point point, RandomStream& random) {
  struct Neighbour {
    Point point;
    std::uint64_t distance;
    std::uint64_t order;
  };
  std::vector<Neighbour> found;
  for (std::size_t i = 0; i < stride_.size(); ++i) {
    const std::uint64_t here = (point / stride_[i]) % radix(i);
    for (std::uint64_t there = 0; there < radix(i); ++there) {
      if (there == here) continue;
      const Point neighbour = point - here * stride_[i] + there * stride_[i];
      const std::uint64_t distance = there > here ? there - here : here - there;
      if (allowed(neighbour)) found.push_back({neighbour, distance, random.next_u64()});
    }
  }
  std::sort(found.begin(), found.end(), [](const Neighbour& a, const Neighbour& b) {
    return std::tie(a.distance, a.order, a.point) < std::tie(b.distance, b.order, b.point);
  });
  std::vector<Point> points;
  for (const Neighbour& neighbour : found) points.push_back(neighbour.point);
  return points;
}

Point Points::step(Point point, RandomStream& random) const {
  std::vector<std::size_t> movable;
  for (std::size_t i = 0; i < stride_.size(); ++i) {
    if (radix(i) > 1) movable.push_back(i);
  }
  if (movable.empty()) return point;
  const std::size_t i = movable[random.below(movable.size())];
  const std::uint64_t here = (point / stride_[i]) % radix(i);
  std::uint64_t distance = 1;
  while (distance < radix(i) - 1 && random.below(2) == 0) ++distance;
  const bool up = here + distance < radix(i), down = here >= distance;
  if (!up && !down) return point;  // too far either way
  const bool go_up = up && (!down || random.below(2) == 0);
  return go_up ? point + distance * stride_[i] : point - distance * stride_[i];
}

void Points::list() {
  listed_.emplace();
  for (Point point = 0; point < size_; ++point) {
    if (allowed(point)) listed_->push_back(point);
  }
}

std::optional<Point> Points::draw_listed(RandomStream& random,
                                         const std::function<bool(Point)>& wanted) {
  while (!listed_->empty()) {
    const std::size_t at = random.below(listed_->size());
    const Point point = (*listed_)[at];
    (*listed_)[at] = listed_->back();
    listed_->pop_back();
    if (wanted(point)) return point;
  }
  return std::nullopt;
}

std::optional<Point> Points::draw(RandomStream& random, const std::function<bool(Point)>& wanted) {
  if (listed_) return draw_listed(random, wanted);
  const bool small = size_ <= kListable;
  for (int i = 0; i < (small ? kRejections : kMaxRejections); ++i) {
    const Point point = random.below(size_);
    if (allowed(point) && wanted(point)) return point;
  }
  if (!small) return std::nullopt;
  list();
  return draw_listed(random, wanted);
}

}  // namespace kw::search

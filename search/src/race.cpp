#include "kw/search/race.h"

#include <algorithm>

namespace kw::search {

std::string_view to_string(Objective objective) noexcept {
  switch (objective) {
    case Objective::First:
      return "first";
    case Objective::Best:
      return "best";
  }
  return "";
}

std::optional<Objective> parse_objective(std::string_view text) noexcept {
  for (const Objective objective : {Objective::First, Objective::Best}) {
    if (to_string(objective) == text) return objective;
  }
  return std::nullopt;
}

bool Race::join(const std::string& lane) {
  if (over_) return false;
  const bool known = std::any_of(lanes_.begin(), lanes_.end(),
                                 [&](const Lane& other) { return other.name == lane; });
  if (!known) lanes_.push_back({lane});
  return true;
}

/// A timed candidate beats an untimed one; of two alike the earlier stays.
bool Race::better(const LaneReport& report) const {
  if (!leader_) return true;
  if (!report.median_us) return false;
  return !leader_->median_us || *report.median_us < *leader_->median_us;
}

/// Nothing that a lane may still report can change the winner by enough to wait for.
bool Race::decided() const {
  if (!leader_) return false;
  switch (rules_.objective) {
    case Objective::First:
      return true;
    case Objective::Best:
      return rules_.floor_us > 0 && leader_->median_us &&
             *leader_->median_us <= rules_.floor_us * rules_.good_enough;
  }
  return false;
}

RaceDecision Race::end() {
  RaceDecision decision{true, running()};
  for (Lane& lane : lanes_) lane.running = false;
  over_ = true;
  return decision;
}

RaceDecision Race::end_if(bool condition) {
  if (over_ || !condition) return {over_, {}};
  return end();
}

RaceDecision Race::report(const LaneReport& report) {
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                                 [&](const Lane& other) { return other.name == report.lane; });
  if (over_ || lane == lanes_.end() || !lane->running) return {over_, {}};
  if (report.finished) lane->running = false;
  if (report.passed && !report.candidate.empty() && better(report)) leader_ = report;
  return end_if(decided() || (closed_ && running().empty()));
}

RaceDecision Race::close() {
  closed_ = true;
  return end_if(running().empty());
}

RaceDecision Race::elapsed(double seconds) {
  return end_if(rules_.budget_s > 0 && seconds >= rules_.budget_s);
}

RaceDecision Race::cancel() { return end_if(true); }

std::vector<std::string> Race::running() const {
  std::vector<std::string> names;
  for (const Lane& lane : lanes_) {
    if (lane.running) names.push_back(lane.name);
  }
  return names;
}

}  // namespace kw::search

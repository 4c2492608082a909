#pragma once
// Who wins among lanes that work on one region at the same time, and whom to stop. A value: the
// same reports in the same order give the same decisions, so a race replays from a job's events.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kw::search {

enum class Objective {
  First,  // the first candidate that passes
  Best,   // the fastest that passes within the budget
};
std::string_view to_string(Objective objective) noexcept;
std::optional<Objective> parse_objective(std::string_view text) noexcept;

struct RaceRules {
  Objective objective = Objective::First;
  double budget_s = 0;  // from the start of the race; 0: no limit
  double floor_us = 0;  // roofline floor of the region; 0: not known
  /// Best: a median at most this many times the floor cannot be beaten by enough to wait for.
  double good_enough = 1.05;
};

/// What a lane came to: one candidate judged, or the lane's end without one.
struct LaneReport {
  std::string lane;
  std::string candidate;  // empty: no candidate (the lane gave up)
  bool passed = false;
  std::optional<double> median_us;  // timed; nothing where only correctness could be judged
  bool finished = false;            // the lane will report nothing more
};

struct RaceDecision {
  bool over = false;
  std::vector<std::string> stop;  // lanes that were running and are to be stopped now
};

class Race {
 public:
  explicit Race(RaceRules rules) : rules_(rules) {}

  /// A lane joins; again under the same name does nothing. Refused (false) once the race is over.
  bool join(const std::string& lane);
  /// Reports of unknown or stopped lanes, and any after the end, are ignored: a result that crosses
  /// the order to stop changes nothing.
  RaceDecision report(const LaneReport& report);
  /// No more lanes will join: the race is over when the last one finishes.
  RaceDecision close();
  /// Time went by: seconds since the start.
  RaceDecision elapsed(double seconds);
  /// The user's wish: everything stops, what passed so far stays the winner.
  RaceDecision cancel();

  bool over() const { return over_; }
  /// The best candidate so far; the winner once over.
  const std::optional<LaneReport>& leader() const { return leader_; }
  std::vector<std::string> running() const;

 private:
  struct Lane {
    std::string name;
    bool running = true;
  };
  bool better(const LaneReport& report) const;
  bool decided() const;
  RaceDecision end();
  RaceDecision end_if(bool condition);

  RaceRules rules_;
  std::vector<Lane> lanes_;  // in order of joining
  std::optional<LaneReport> leader_;
  bool closed_ = false;
  bool over_ = false;
};

}  // namespace kw::search

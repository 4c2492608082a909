#include "strategies.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

namespace kw::search {

namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

// Annealing: a move that is `worse` (relative to where it stands) is taken with probability
// exp(-worse / temperature); the temperature falls geometrically with the budget.
constexpr double kHot = 0.5;
constexpr double kCold = 0.005;
constexpr int kDraws = 5;        // a climb begins at the best of so many random points
constexpr int kKickSteps = 4;    // or so far from the best known one, in turn
constexpr int kFreeMoves = 256;  // moves over points already measured before a fresh start
constexpr int kProposals = 64;   // before a place counts as having no neighbours

/// Moves to the first better neighbour until there is none.
void climb(Explorer& explorer, RandomStream& random, Point here) {
  if (!explorer.seen(here) && !explorer.open()) return;
  double objective = explorer.objective(here);
  for (bool moved = true; moved;) {
    moved = false;
    const std::vector<Point> neighbours = explorer.points().neighbours(here, random);
    for (std::size_t i = 0; i < neighbours.size() && !moved; ++i) {
      if (!explorer.seen(neighbours[i])) {
        if (!explorer.open()) return;
        explorer.announce(std::span(neighbours).subspan(i));
      }
      const double there = explorer.objective(neighbours[i]);
      if (there < objective) {
        here = neighbours[i];
        objective = there;
        moved = true;
      }
    }
  }
}

/// A neighbour for annealing, near values more often; nothing where none is allowed.
std::optional<Point> propose(Explorer& explorer, RandomStream& random, Point here) {
  for (int i = 0; i < kProposals; ++i) {
    const Point there = explorer.points().step(here, random);
    if (there != here && explorer.points().allowed(there)) return there;
  }
  return std::nullopt;
}

bool accepts(double here, double there, double temperature, RandomStream& random) {
  if (there <= here) return true;
  if (there == kNone) return false;
  const double worse = (there - here) / std::max(std::abs(here), 1e-12);
  return random.uniform() < std::exp(-worse / temperature);
}

/// One walk. Ends with the budget, or when it no longer meets anything new.
void walk(Explorer& explorer, RandomStream& random, Point here) {
  if (!explorer.seen(here) && !explorer.open()) return;
  double objective = explorer.objective(here);
  std::vector<Point> proposals;  // drawn ahead for here, in reverse order
  for (int idle = 0; idle < kFreeMoves;) {
    if (proposals.empty()) {
      for (std::size_t i = 0; i < std::max<std::size_t>(explorer.lookahead(), 1); ++i) {
        if (const auto next = propose(explorer, random, here)) proposals.push_back(*next);
      }
      if (proposals.empty()) return;
      explorer.announce(proposals);
      std::reverse(proposals.begin(), proposals.end());
    }
    const Point there = proposals.back();
    proposals.pop_back();
    if (explorer.seen(there)) {
      ++idle;
    } else {
      if (!explorer.open()) return;
      idle = 0;
    }
    const double candidate = explorer.objective(there);
    const double temperature = kHot * std::pow(kCold / kHot, explorer.spent());
    if (accepts(objective, candidate, temperature, random)) {
      here = there;
      objective = candidate;
      proposals.clear();
    }
  }
}

/// A few steps away from the best: optima lie near one another. Nothing when all is known there.
std::optional<Point> kick(Explorer& explorer, RandomStream& random) {
  if (!explorer.best()) return std::nullopt;
  for (int i = 0; i < kProposals; ++i) {
    Point there = *explorer.best();
    for (int k = 0; k < kKickSteps; ++k) there = explorer.points().step(there, random);
    if (explorer.points().allowed(there) && !explorer.seen(there)) return there;
  }
  return std::nullopt;
}

/// The best of a few points drawn at random; nothing when there are none left.
std::optional<Point> best_of_draws(Explorer& explorer, RandomStream& random) {
  std::vector<Point> drawn;
  for (int i = 0; i < kDraws; ++i) {
    if (const auto point = explorer.draw(random)) drawn.push_back(*point);
  }
  if (drawn.empty()) return std::nullopt;
  explorer.announce(drawn);
  Point best = drawn.front();
  for (const Point point : drawn) {
    if (!explorer.open()) break;
    if (explorer.objective(point) < explorer.objective(best)) best = point;
  }
  return best;
}

}  // namespace

void search_randomly(Explorer& explorer, RandomStream& random, std::optional<Point> start) {
  std::deque<Point> next;
  if (start) next.push_back(*start);
  while (explorer.open()) {
    std::vector<Point> fresh;
    while (next.size() + fresh.size() < std::max<std::size_t>(explorer.lookahead(), 1)) {
      const auto point = explorer.draw(random);
      if (!point) break;
      fresh.push_back(*point);
    }
    explorer.announce(fresh);
    next.insert(next.end(), fresh.begin(), fresh.end());
    if (next.empty()) return explorer.exhaust();
    (void)explorer.objective(next.front());
    next.pop_front();
  }
}

void climb_with_restarts(Explorer& explorer, RandomStream& random, std::optional<Point> start) {
  for (bool near = false; explorer.open(); near = !near) {
    if (!start && near) start = kick(explorer, random);
    if (!start) start = best_of_draws(explorer, random);
    if (!start) return explorer.exhaust();
    climb(explorer, random, *start);
    start.reset();
  }
}

void anneal(Explorer& explorer, RandomStream& random, std::optional<Point> start) {
  while (explorer.open()) {
    if (!start) start = best_of_draws(explorer, random);
    if (!start) return explorer.exhaust();
    walk(explorer, random, *start);
    start.reset();
  }
}

}  // namespace kw::search

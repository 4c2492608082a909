#pragma once
// Partition is covering: skeletons offer matches for intervals of stages, dynamic programming
// chooses the cheapest partitions.

#include <string>
#include <string_view>
#include <vector>

#include "skeletons/skeleton.h"

namespace kw::codegen {

struct Piece {
  const Skeleton* skeleton = nullptr;
  std::string form;
  int first = 0, last = 0;
  double cost_us = 0;
};

struct Cover {
  std::vector<Piece> pieces;  // in order; together they hold every stage once
  double cost_us = 0;

  /// "stream@1:flat[0-2]+row_reduce@1:block[3-5]": enough to find the cover again.
  std::string text() const;
};

/// Intervals longer than this are not offered to skeletons.
inline constexpr int kLongestRegion = 32;

/// The `count` cheapest covers, cheapest first, fallbacks only where nothing else matches. A cover
/// that merely cuts a cheaper one's pieces is not among them.
std::vector<Cover> best_covers(Program& program, const Target& target, int count);
/// Every stage by the generic loop nest.
Cover fallback_cover(Program& program, const Target& target);
/// Reads Cover::text() back, and checks that the skeletons still offer these pieces.
Result<Cover> parse_cover(Program& program, const Target& target, std::string_view text);

}  // namespace kw::codegen

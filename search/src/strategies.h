#pragma once
// The strategies. Each runs until the explorer is no longer open; `start` is where it begins
// (nothing: at random).

#include "explorer.h"

namespace kw::search {

void search_randomly(Explorer& explorer, RandomStream& random, std::optional<Point> start);
void climb_with_restarts(Explorer& explorer, RandomStream& random, std::optional<Point> start);
void anneal(Explorer& explorer, RandomStream& random, std::optional<Point> start);

}  // namespace kw::search

#include "nearest.h"

#include <algorithm>
#include <numeric>

namespace kw::bench {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known,
                                       std::size_t count) {
  constexpr std::size_t kLongest = 128;  // a longer name is cut: the distance is quadratic
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t i = 0; i < known.size(); ++i) {
    order.emplace_back(edit_distance(name.substr(0, kLongest), known[i]), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> result;
  for (std::size_t i = 0; i < std::min(count, order.size()); ++i) {
    result.push_back(known[order[i].second]);
  }
  return result;
}

}  // namespace kw::bench

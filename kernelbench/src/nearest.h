#pragma once
// "Did you mean": the known names closest to one that is not known.

#include <string>
#include <string_view>
#include <vector>

namespace kw::bench {

/// Up to `count` names in order of edit distance, ties by their order in `known`.
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known,
                                       std::size_t count = 3);

}  // namespace kw::bench

#pragma once
// "2/3": the second of three parts of a list, dealt out like cards.

#include <cstddef>
#include <string_view>

#include "kw/core/result.h"

namespace kw::agent {

struct Shard {
  std::size_t index = 0;  // from 0
  std::size_t count = 1;
  bool has(std::size_t item) const { return item % count == index; }
};

/// Empty text is the whole. InvalidArgument for what is no "I/N" with 1 <= I <= N.
Result<Shard> parse_shard(std::string_view text);

}  // namespace kw::agent

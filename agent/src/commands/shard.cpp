#include "shard.h"

#include <charconv>

namespace kw::agent {

Result<Shard> parse_shard(std::string_view text) {
  if (text.empty()) return Shard{};
  Shard shard;
  const char* end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, shard.index);
  const bool slash = index.ec == std::errc{} && index.ptr != end && *index.ptr == '/';
  const auto count = slash ? std::from_chars(index.ptr + 1, end, shard.count) : index;
  const bool good = slash && count.ec == std::errc{} && count.ptr == end && shard.index >= 1 &&
                    shard.index <= shard.count;
  if (!good) return fail(Errc::InvalidArgument, "'{}' is no part of a whole: say 1/3", text);
  --shard.index;
  return shard;
}

}  // namespace kw::agent

#pragma once
// memcpy by several threads: one thread copies into fresh pages at a tenth of what memory can do.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

namespace kw::verify {

/// `to` and `from` are of one size and do not overlap.
inline void parallel_copy(std::span<std::byte> to, std::span<const std::byte> from) {
  constexpr std::size_t kLeast = std::size_t{4} << 20;  // a thread's worth of work
  const std::size_t cores = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 8);
  const std::size_t threads = std::clamp<std::size_t>(from.size() / kLeast, 1, cores);
  const std::size_t piece = (from.size() / threads + 4095) / 4096 * 4096;
  const auto copy = [&](std::size_t i) {
    const std::size_t begin = std::min(i * piece, from.size());
    const std::size_t count =
        i + 1 == threads ? from.size() - begin : std::min(piece, from.size() - begin);
    if (count > 0) std::memcpy(to.data() + begin, from.data() + begin, count);
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(copy, i);
  copy(0);
}

}  // namespace kw::verify

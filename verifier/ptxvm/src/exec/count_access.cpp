// Memory counters: 32-byte sectors of global requests, passes over the 32 banks of shared ones.

#include <algorithm>
#include <array>

#include "exec/access.h"
#include "exec/context.h"

namespace kw::ptxvm {
namespace {

std::uint64_t sectors(const Warp& w, std::uint32_t bytes) {
  std::array<std::uint64_t, 2 * kLanes> seen;
  std::size_t n = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    seen[n++] = w.address[l] / 32;
    seen[n++] = (w.address[l] + bytes - 1) / 32;
  }
  if (!std::is_sorted(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(n))) {
    std::sort(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return static_cast<std::uint64_t>(
      std::unique(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(n)) - seen.begin());
}

// Distinct 4-byte words per bank decide the passes; 8- and 16-byte accesses go by half and quarter
// warps.
std::uint64_t waves(const Warp& w, std::uint32_t bytes, std::uint64_t& ideal) {
  const unsigned group = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  std::uint64_t total = 0;
  for (unsigned begin = 0; begin < kLanes; begin += group) {
    std::array<std::uint64_t, 4 * kLanes> words;
    std::size_t n = 0;
    for (unsigned l = begin; l < begin + group; ++l) {
      if ((w.mask >> l & 1) == 0) continue;
      for (std::uint32_t k = 0; k < std::max(bytes, 4u) && n < words.size(); k += 4)
        words[n++] = w.address[l] / 4 + k / 4;
    }
    if (n == 0) continue;
    if (!std::is_sorted(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n))) {
      std::sort(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n));
    }
    const auto end = std::unique(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n));
    std::array<std::uint32_t, 32> bank{};
    std::uint32_t worst = 1;
    for (auto it = words.begin(); it != end; ++it) worst = std::max(worst, ++bank[*it % 32]);
    total += worst;
    ideal += static_cast<std::uint64_t>(end - words.begin() + 31) / 32;
  }
  return total;
}

}  // namespace

void count_access(Warp& w, const Ins* ins) {
  if (w.mask == 0) return;
  const AccessBits access{ins->y};
  Counters& c = w.block->worker->counters;
  const std::uint32_t bytes = access.bytes() * access.count();
  const std::uint64_t first = w.address[__builtin_ctz(w.mask)];
  auto space = static_cast<Space>(access.space());
  if (space == Space::Generic) {
    const std::uint64_t window = first & ~(kWindowBytes - 1);
    space = window == kSharedWindow  ? Space::Shared
            : window == kLocalWindow ? Space::Local
                                     : Space::Global;
  }
  if (space == Space::Global || space == Space::Constant) {
    ++c.global_requests;
    c.global_sectors += sectors(w, bytes);
    c.global_bytes += static_cast<std::uint64_t>(__builtin_popcount(w.mask)) * bytes;
  } else if (space == Space::Shared) {
    ++c.shared_requests;
    c.shared_waves += waves(w, bytes, c.shared_waves_ideal);
  }
}

}  // namespace kw::ptxvm

// Memory counters: 32-byte sectors of global requests, passes over the 32 banks of shared ones.

#include <algorithm>
#include <array>

#include "exec/access.h"
#include "exec/context.h"

namespace kw::ptxvm {
namespace {

std::uint64_t sectors(const Warp& w, std::uint32_t bytes) {
  // Most requests go upwards through memory: one pass counts them.
  std::uint64_t count = 0, last = ~std::uint64_t{0};
  bool ascending = true;
  for (std::uint32_t left = w.mask; left != 0; left &= left - 1) {
    const std::uint64_t address = w.address[__builtin_ctz(left)];
    const std::uint64_t first = address / 32, end = (address + bytes - 1) / 32;
    ascending &= count == 0 || first >= last;
    count += end - first + (count == 0 || first != last ? 1 : 0);
    last = end;
  }
  if (ascending) return count;
  std::array<std::uint64_t, 2 * kLanes> seen;
  std::size_t n = 0;
  for (std::uint32_t left = w.mask; left != 0; left &= left - 1) {
    const std::uint64_t address = w.address[__builtin_ctz(left)];
    seen[n++] = address / 32;
    seen[n++] = (address + bytes - 1) / 32;
  }
  const auto end = seen.begin() + static_cast<std::ptrdiff_t>(n);
  std::sort(seen.begin(), end);
  return static_cast<std::uint64_t>(std::unique(seen.begin(), end) - seen.begin());
}

// Distinct 4-byte words per bank decide the passes; 8- and 16-byte accesses go by half and quarter
// warps.
std::uint64_t waves(const Warp& w, std::uint32_t bytes, std::uint64_t& ideal) {
  const unsigned group = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  const std::uint32_t words_each = std::max(bytes / 4, 1u);
  std::uint64_t total = 0;
  for (unsigned begin = 0; begin < kLanes; begin += group) {
    std::uint32_t words[32][kLanes];  // by bank
    std::array<std::uint8_t, 32> used{};
    std::uint32_t worst = 0, distinct = 0;
    const std::uint32_t lanes = group == 32 ? w.mask : w.mask >> begin & ((1u << group) - 1);
    for (std::uint32_t left = lanes; left != 0; left &= left - 1) {
      const auto first = static_cast<std::uint32_t>(
          w.address[begin + static_cast<unsigned>(__builtin_ctz(left))] / 4);
      for (std::uint32_t word = first; word != first + words_each; ++word) {
        std::uint32_t* const bank = words[word % 32];
        std::uint8_t& count = used[word % 32];
        bool known = false;
        for (std::uint32_t k = 0; k < count; ++k) known |= bank[k] == word;
        if (known || count == kLanes) continue;
        bank[count++] = word;
        ++distinct;
        worst = std::max<std::uint32_t>(worst, count);
      }
    }
    total += worst;
    ideal += (distinct + 31) / 32;
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

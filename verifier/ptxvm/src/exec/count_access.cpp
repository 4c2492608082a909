// Memory counters: 32-byte sectors of global requests, passes over the 32 banks of shared ones.

#include <algorithm>
#include <array>

#include "exec/access.h"
#include "exec/context.h"

namespace kw::ptxvm {
namespace {

/// The distinct sectors that the active lanes touch, ascending.
struct Sectors {
  // A lane's 128 bytes, the most that AccessBits can say, lie in five at worst.
  std::array<std::uint64_t, 5 * kLanes> numbers;
  std::size_t count = 0;
};

void find_sectors(const Warp& w, std::uint32_t bytes, Sectors& out) {
  bool ascending = true;  // most requests go upwards through memory
  for (std::uint32_t left = w.mask; left != 0; left &= left - 1) {
    const std::uint64_t address = w.address[__builtin_ctz(left)];
    const std::uint64_t end = (address + bytes - 1) / kSectorBytes;
    for (std::uint64_t s = address / kSectorBytes; s <= end; ++s) {
      if (out.count != 0 && out.numbers[out.count - 1] == s) continue;
      ascending &= out.count == 0 || out.numbers[out.count - 1] < s;
      out.numbers[out.count++] = s;
    }
  }
  if (ascending) return;
  const auto begin = out.numbers.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(out.count);
  std::sort(begin, end);
  out.count = static_cast<std::size_t>(std::unique(begin, end) - begin);
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
  Worker& worker = *w.block->worker;
  MemoryCounts& c = worker.memory[ins->source];
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
    Sectors sectors;
    find_sectors(w, bytes, sectors);
    c.global_sectors += sectors.count;
    if (worker.caches && space == Space::Global) {
      worker.caches->request(*w.block->l1, ins->source, {sectors.numbers.data(), sectors.count});
    }
    c.global_bytes += static_cast<std::uint64_t>(__builtin_popcount(w.mask)) * bytes;
  } else if (space == Space::Shared) {
    ++c.shared_requests;
    c.shared_waves += waves(w, bytes, c.shared_waves_ideal);
  }
}

}  // namespace kw::ptxvm

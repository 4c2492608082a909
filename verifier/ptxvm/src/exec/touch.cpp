#include "exec/touch.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

namespace kw::ptxvm {
namespace {

constexpr std::uint8_t kNone = 0xff;

// Shift of the map that the 32 lanes of a chunk follow, kNone if they follow none.
std::uint8_t shift_of(const std::uint8_t* lanes) {
  const auto run = static_cast<unsigned>(
      std::find_if(lanes, lanes + kChunkGranules, [&](std::uint8_t l) { return l != lanes[0]; }) -
      lanes);
  const auto shift = static_cast<unsigned>(__builtin_ctz(run));
  for (unsigned i = 0; i < kChunkGranules; ++i) {
    if (lanes[i] != lanes[0] + (i >> shift)) return kNone;
  }
  return static_cast<std::uint8_t>(shift);
}

}  // namespace

void Touch::find(std::uint32_t bytes, std::uint32_t shift) {
  parts = 0;
  shared = false;
  std::array<std::uint32_t, 8 * kLanes> numbers;  // rows
  std::size_t count = 0;
  const std::uint32_t granules = std::max(1u, bytes >> shift);
  for (const std::uint32_t at : offset) {
    if (at == kIdle) continue;
    const std::uint32_t first = (at >> shift) / kRowGranules,
                        last = ((at >> shift) + granules - 1) / kRowGranules;
    for (std::uint32_t row = first; row <= last; ++row) {
      if (count != 0 && numbers[count - 1] == row) continue;
      if (count == numbers.size()) return;
      numbers[count++] = row;
    }
  }
  if (!std::is_sorted(numbers.begin(), numbers.begin() + count))
    std::sort(numbers.begin(), numbers.begin() + count);
  const auto end = std::unique(numbers.begin(), numbers.begin() + count);
  const auto rows = static_cast<std::size_t>(end - numbers.begin());
  if (rows > kRows) return;
  std::memset(low, kNobody, rows * kRowGranules);
  std::memset(high, kNobody, rows * kRowGranules);
  std::size_t row = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    if (offset[l] == kIdle) continue;
    const std::uint32_t first = offset[l] >> shift;
    for (std::uint32_t g = first; g < first + granules; ++g) {
      const std::uint32_t number = g / kRowGranules;
      if (numbers[row] != number)
        row = static_cast<std::size_t>(std::lower_bound(numbers.begin(), end, number) -
                                       numbers.begin());
      std::uint8_t& lowest = low[row][g % kRowGranules];
      if (lowest == kNobody) lowest = static_cast<std::uint8_t>(l);
      shared |= lowest != l;
      high[row][g % kRowGranules] = static_cast<std::uint8_t>(l);
    }
  }
  for (std::size_t i = 0; i < rows;) {
    Part& p = part[parts++];
    p = {numbers[i] / kChunkRows, static_cast<std::uint8_t>(i), 0, false, {}, {}};
    for (; i < rows && numbers[i] / kChunkRows == p.chunk; ++i)
      row_in_chunk[i] = static_cast<std::uint8_t>(numbers[i] % kChunkRows);
    p.end = static_cast<std::uint8_t>(i);
    if (p.end - p.first != kChunkRows) continue;
    const std::uint8_t *lows = low[p.first], *highs = high[p.first];
    const std::uint8_t of_low = shift_of(lows), of_high = shift_of(highs);
    // Chunks that several lanes share have no granule that is one lane's alone.
    const bool alike =
        lows[0] == highs[0]
            ? std::memcmp(lows, highs, kChunkGranules) == 0
            : std::mismatch(lows, lows + kChunkGranules, highs, std::not_equal_to<>()).first ==
                  lows + kChunkGranules;
    p.linear = alike && of_low != kNone && of_high != kNone &&
               std::find(lows, lows + kChunkGranules, kNobody) == lows + kChunkGranules;
    p.low = {lows[0], of_low};
    p.high = {highs[0], of_high};
  }
}

TouchPatterns::TouchPatterns(std::size_t instructions)
    : tables_(instructions * kWays + 6 * kChunkGranules) {
  contiguous = tables_.data();
  known = contiguous + 6 * kChunkGranules;
}

Touch* TouchPatterns::make() {
  Touch* t = touches_.emplace_back(std::make_unique<Touch>()).get();
  std::fill(t->offset, t->offset + kLanes, Touch::kIdle);
  return t;
}

Touch& TouchPatterns::add_known(std::size_t index) { return *(known[index] = make()); }

Touch& TouchPatterns::add_contiguous(unsigned log2, std::uint32_t first_granule) {
  Touch* t = make();
  for (unsigned l = 0; l < kLanes; ++l) t->offset[l] = first_granule + (l << log2);
  t->find(1u << log2, 0);
  return *(contiguous[log2 * kChunkGranules + first_granule] = t);
}

}  // namespace kw::ptxvm

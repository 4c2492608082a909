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
  sizes = key(bytes, shift);
  std::array<std::uint32_t, 5 * kLanes> numbers;  // rows
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
  for (auto number = numbers.begin(); number != end; ++number) {
    const std::uint32_t chunk = *number / kChunkRows;
    if (parts == 0 || part[parts - 1].chunk != chunk) {
      if (parts == kMaxParts) {
        parts = 0;
        return;
      }
      part[parts++] = {chunk, 0, false, {}, {}, {}, {}};
    }
    Part& p = part[parts - 1];
    std::memset(&p.lanes[p.rows], kNobody, sizeof(Lanes));
    p.row[p.rows++] = static_cast<std::uint8_t>(*number % kChunkRows);
  }
  Part* p = part;
  for (unsigned l = 0; l < kLanes; ++l) {
    if (offset[l] == kIdle) continue;
    const std::uint32_t first = offset[l] >> shift;
    for (std::uint32_t g = first; g < first + granules; ++g) {
      const std::uint32_t chunk = g / kChunkGranules, number = g / kRowGranules % kChunkRows;
      if (p->chunk != chunk)
        p = std::lower_bound(part, part + parts, chunk,
                             [](const Part& q, std::uint32_t c) { return q.chunk < c; });
      Lanes& lanes = p->lanes[std::find(p->row, p->row + p->rows, number) - p->row];
      std::uint8_t& lowest = lanes.low[g % kRowGranules];
      if (lowest == kNobody) lowest = static_cast<std::uint8_t>(l);
      shared |= lowest != l;
      lanes.high[g % kRowGranules] = static_cast<std::uint8_t>(l);
    }
  }
  for (unsigned i = 0; i < parts; ++i) find_maps(part[i]);
}

void Touch::find_maps(Part& p) {
  if (p.rows != kChunkRows) return;
  std::array<std::uint8_t, kChunkGranules> lows, highs;
  for (unsigned i = 0; i < kChunkGranules; ++i) {
    lows[i] = p.lanes[i / kRowGranules].low[i % kRowGranules];
    highs[i] = p.lanes[i / kRowGranules].high[i % kRowGranules];
  }
  const std::uint8_t of_low = shift_of(lows.data()), of_high = shift_of(highs.data());
  if (of_low == kNone || of_high == kNone || lows[0] == kNobody) return;
  // Chunks that several lanes share have no granule that is one lane's alone.
  p.linear = lows == highs ||
             std::mismatch(lows.begin(), lows.end(), highs.begin(), std::not_equal_to<>()).first ==
                 lows.end();
  p.low = {lows[0], of_low};
  p.high = {highs[0], of_high};
}

TouchPatterns::TouchPatterns(std::size_t instructions)
    : tables_(instructions * kWays + 6 * kChunkGranules), shapes_(kShapes) {
  contiguous = tables_.data();
  known = contiguous + 6 * kChunkGranules;
}

const Touch& TouchPatterns::find(std::size_t index, const std::uint32_t (&offset)[kLanes],
                                 std::uint32_t bytes, std::uint32_t shift) {
  std::uint64_t hash = Touch::key(bytes, shift);
  for (const std::uint32_t at : offset) hash = (hash ^ at) * 0x9e3779b97f4a7c15u;
  std::unique_ptr<Touch>& shape = shapes_[hash >> 54];
  static_assert(kShapes == 1u << (64 - 54));
  if (!shape) shape = std::make_unique<Touch>();
  if (shape->sizes != Touch::key(bytes, shift) ||
      std::memcmp(shape->offset, offset, sizeof offset) != 0) {
    std::memcpy(shape->offset, offset, sizeof offset);
    shape->find(bytes, shift);
  }
  return *(known[index] = shape.get());
}

const Touch& TouchPatterns::add_contiguous(unsigned log2, std::uint32_t first_granule) {
  Touch* t = contiguous_.emplace_back(std::make_unique<Touch>()).get();
  for (unsigned l = 0; l < kLanes; ++l) t->offset[l] = first_granule + (l << log2);
  t->find(1u << log2, 0);
  return *(contiguous[log2 * kChunkGranules + first_granule] = t);
}

}  // namespace kw::ptxvm

#include "exec/shadow_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace kw::ptxvm {
namespace {

constexpr std::size_t kHuge = std::size_t{1} << 21;

void spread(const Chunk::Record& record, LaneMap map, Stamp dead, Row* row, RowSlots Row::*slot,
            Chunk::Range& range) {
  if (record.t == 0 || record.t < dead) return;
  range.lo = std::min(range.lo, record.t);
  range.hi = std::max(range.hi, record.t);
  for (unsigned i = 0; i < kChunkGranules; ++i) {
    RowSlots& s = row[i / kRowGranules].*slot;
    s.t[i % kRowGranules] = record.t;
    s.who[i % kRowGranules] = record.who | (map.base + (i >> map.shift));
  }
}

}  // namespace

void spread(Shadow& shadow, std::size_t chunk, Stamp dead) {
  Chunk& c = shadow.chunks[chunk];
  if (c.is_spread) return;
  const Chunk::Compact slots = c.compact;
  Row* row = shadow.rows + chunk * kChunkRows;
  Chunk::Range writes{~Stamp{0}, 0}, reads = writes;
  spread(slots.write, c.write_map, dead, row, &Row::write, writes);
  spread(slots.read, c.read_map, dead, row, &Row::read, reads);
  spread(slots.read2, c.read2_map, dead, row, &Row::read2, reads);
  c.is_spread = true;
  c.spread = {writes, reads};
}

void Pages::Unmap::operator()(std::byte* p) const noexcept { munmap(p, bytes); }

Pages::Pages(std::size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  bytes_ = {static_cast<std::byte*>(p), Unmap{bytes}};
}

Shadow ShadowRoom::shadow(std::uint64_t granules) const noexcept {
  Shadow s;
  s.chunks = reinterpret_cast<Chunk*>(records.get());
  s.rows = reinterpret_cast<Row*>(rows.get());
  s.strong_rows = reinterpret_cast<StrongRow*>(strong_rows.get());
  s.granules = granules;
  return s;
}

ShadowRoom ShadowPool::take(std::uint64_t granules) {
  const auto chunks = static_cast<std::size_t>((granules + kChunkGranules - 1) / kChunkGranules);
  // The smallest that is large enough, if it is not much too large.
  auto best = free_.end();
  for (auto room = free_.begin(); room != free_.end(); ++room) {
    if (room->chunks < chunks || room->chunks / 2 > chunks + 64) continue;
    if (best == free_.end() || room->chunks < best->chunks) best = room;
  }
  if (best != free_.end()) {
    ShadowRoom room = std::move(*best);
    free_.erase(best);
    return room;
  }
  const std::size_t n = std::max<std::size_t>(chunks, 1);
  ShadowRoom room{n, Pages(n * sizeof(Chunk)), Pages(n * kChunkRows * sizeof(Row)),
                  Pages(n * kChunkRows * sizeof(StrongRow))};
  // Rows are touched here and there; the chunks of a large array nearly all.
  if (n * sizeof(Chunk) >= 2 * kHuge) madvise(room.records.get(), n * sizeof(Chunk), MADV_HUGEPAGE);
  return room;
}

Stamp ShadowPool::begin_launch() {
  constexpr Stamp kMany = Stamp{1} << 31;
  if (next_ > kMany) {
    free_.clear();
    next_ = 2;
  }
  return next_;
}

void ShadowPool::end_launch(Stamp next) {
  next_ = (next + 1) & ~Stamp{1};
  free_ = std::move(used_);
  used_.clear();
}

}  // namespace kw::ptxvm

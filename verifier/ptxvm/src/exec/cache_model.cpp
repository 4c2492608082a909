#include "exec/cache_model.h"

#include <algorithm>
#include <bit>

#include "exec/context.h"

namespace kw::ptxvm {
namespace {

bool goes_past_l1(const Instruction& in) {
  return in.has("cg") || in.has("cv") || in.has("volatile") || in.has("relaxed") ||
         in.has("acquire") || in.has("mmio");
}

void set_bit(std::vector<std::uint64_t>& bits, std::uint64_t at, std::uint64_t size) {
  if (bits.empty()) bits.resize(static_cast<std::size_t>((size + 63) / 64));
  bits[static_cast<std::size_t>(at / 64)] |= std::uint64_t{1} << at % 64;
}

void join(std::vector<std::uint64_t>& into, const std::vector<std::uint64_t>& from) {
  if (into.empty()) {
    into = from;
    return;
  }
  for (std::size_t i = 0; i < from.size(); ++i) into[i] |= from[i];
}

std::uint64_t ones(const std::vector<std::uint64_t>& bits) {
  std::uint64_t count = 0;
  for (const std::uint64_t word : bits) count += static_cast<std::uint64_t>(std::popcount(word));
  return count;
}

}  // namespace

L1Cache::L1Cache(std::uint32_t bytes) {
  constexpr std::uint32_t kMost = 256u << 10;
  sets_ = std::max<std::size_t>(1, std::min(bytes, kMost) / (kSectors * kSectorBytes * kWays));
  lines_.resize(sets_ * kWays);
}

void L1Cache::clear() { epoch_ = ++now_; }

bool L1Cache::read(std::uint64_t sector) {
  const std::uint64_t number = sector / kSectors;
  const auto bit = static_cast<std::uint8_t>(1u << sector % kSectors);
  Line* const set = lines_.data() + static_cast<std::size_t>(number % sets_) * kWays;
  Line* oldest = set;
  ++now_;
  for (Line* line = set; line != set + kWays; ++line) {
    if (line->number == number && line->used >= epoch_) {
      const bool hit = (line->sectors & bit) != 0;
      line->sectors = static_cast<std::uint8_t>(line->sectors | bit);
      line->used = now_;
      return hit;
    }
    if (line->used < oldest->used) oldest = line;
  }
  *oldest = {number, now_, bit};
  return false;
}

CacheModel::CacheModel(const LaunchContext& context)
    : regions_(context.regions), touched_(context.regions.size()) {
  for (const Instruction* in : context.kernel->sources) {
    const std::string_view base = in->modifiers.empty() ? std::string_view{} : in->base();
    paths_.push_back(base == "st"                      ? Path::Store
                     : base == "atom" || base == "red" ? Path::Atomic
                     : goes_past_l1(*in)               ? Path::PastL1
                                                       : Path::Cached);
  }
}

void CacheModel::touch(std::uint64_t sector, bool read, bool written) {
  const auto holds = [&](const Region& r) {
    return sector >= r.lo / kSectorBytes && sector * kSectorBytes < r.hi;
  };
  if (last_region_ >= regions_.size() || !holds(regions_[last_region_])) {
    const auto after =
        std::upper_bound(regions_.begin(), regions_.end(), sector,
                         [](std::uint64_t s, const Region& r) { return s < r.lo / kSectorBytes; });
    if (after == regions_.begin() || !holds(*(after - 1))) return;  // a stray access
    last_region_ = static_cast<std::size_t>(after - 1 - regions_.begin());
  }
  const Region& region = regions_[last_region_];
  const std::uint64_t at = sector - region.lo / kSectorBytes;
  const std::uint64_t size = (region.hi - region.lo) / kSectorBytes + 1;
  if (read) set_bit(touched_[last_region_].read, at, size);
  if (written) set_bit(touched_[last_region_].written, at, size);
}

void CacheModel::request(L1Cache& l1, std::uint32_t source,
                         std::span<const std::uint64_t> sectors) {
  const Path path = paths_[source];
  for (const std::uint64_t sector : sectors) {
    touch(sector, path != Path::Store, path == Path::Store || path == Path::Atomic);
    switch (path) {
      case Path::Cached:
        ++counts_.l1_sectors;
        if (l1.read(sector)) {
          ++counts_.l1_sector_hits;
        } else {
          ++counts_.l2_read_sectors;
        }
        break;
      case Path::PastL1:
        ++counts_.l2_read_sectors;
        break;
      case Path::Store:
      case Path::Atomic:
        ++counts_.l2_written_sectors;
        break;
    }
  }
}

void CacheModel::merge(const CacheModel& other) {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    join(touched_[i].read, other.touched_[i].read);
    join(touched_[i].written, other.touched_[i].written);
  }
  counts_.l1_sectors += other.counts_.l1_sectors;
  counts_.l1_sector_hits += other.counts_.l1_sector_hits;
  counts_.l2_read_sectors += other.counts_.l2_read_sectors;
  counts_.l2_written_sectors += other.counts_.l2_written_sectors;
}

CacheCounts CacheModel::counts() const {
  CacheCounts out = counts_;
  for (const Touched& t : touched_) {
    out.distinct_read_sectors += ones(t.read);
    out.distinct_written_sectors += ones(t.written);
  }
  return out;
}

}  // namespace kw::ptxvm

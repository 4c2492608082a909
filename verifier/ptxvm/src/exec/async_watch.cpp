#include "exec/async_watch.h"

#include <algorithm>
#include <cstring>

#include "exec/context.h"

namespace kw::ptxvm {

void AsyncWatch::start(Block& block, std::uint32_t shared_bytes) {
  block_ = &block;
  granules_.assign(shared_bytes == 0 ? 0 : shared_bytes / 4 + 64, 0);
  in_flight_ = 0;
  show();
}

void AsyncWatch::show() {
  for (Warp& w : block_->warps) w.in_flight = in_flight_ != 0 ? granules_.data() : nullptr;
}

void AsyncWatch::issued(Warp& w, const Ins* copy, unsigned lane, std::uint64_t offset,
                        std::uint32_t bytes) {
  if (offset % 4 != 0 || offset / 4 + bytes / 4 + 64 > granules_.size()) return;  // out of bounds
  if (in_flight_ != 0) touched(w, copy, lane, offset, bytes, true);
  const std::uint32_t who = w.index << Who::kWarpShift | lane | Who::kStrong |
                            std::min(copy->source, Who::kSites - 1) << Who::kSiteShift;
  for (std::uint64_t g = offset / 4; g < (offset + bytes) / 4; ++g) {
    if (granules_[g] == 0) ++in_flight_;
    granules_[g] = who;
  }
  show();
}

void AsyncWatch::landed(std::uint64_t offset, std::uint32_t bytes) {
  if (offset % 4 != 0 || offset / 4 + bytes / 4 + 64 > granules_.size()) return;
  for (std::uint64_t g = offset / 4; g < (offset + bytes) / 4; ++g) {
    if (granules_[g] != 0) --in_flight_;
    granules_[g] = 0;
  }
  show();
}

void AsyncWatch::touched(Warp& w, const Ins* ins, unsigned lane, std::uint64_t offset,
                         std::uint32_t bytes, bool write) {
  for (std::uint64_t g = offset / 4; g * 4 < offset + bytes; ++g) {
    const std::uint32_t who = granules_[g];
    if (who == 0) continue;
    RawFinding f;
    f.kind = FindingKind::AsyncCopy;
    f.ins = ins;
    f.space = Space::Shared;
    f.is_write = write;
    f.address = offset;
    f.bytes = bytes;
    f.allocation = to_string(Space::Shared);
    f.offset = static_cast<std::int64_t>(offset);
    f.has_other = f.other_is_write = true;
    f.other_source = who >> Who::kSiteShift & (Who::kSites - 1);
    f.other_block = block_->id;
    f.other_warp = (who & Who::kThreadMask) / kLanes;
    f.other_lane = who & Who::kLaneMask;
    f.message =
        fmt::format("{} of {} bytes at offset {} of shared memory, which a copy in flight {}",
                    write ? "write" : "read", bytes, offset, "has not filled yet: issued");
    block_->worker->report(w, lane, std::move(f));
    return;
  }
}

void touch_in_flight(Warp& w, const Ins* ins) {
  const AccessBits access{ins->y};
  for (std::uint32_t left = w.mask; left != 0; left &= left - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(left));
    w.block->async.touched(w, ins, l, w.address[l], access.bytes() * access.count(),
                           access.store());
  }
}

void AsyncWatch::source_changed(Warp& w, const Ins* copy, unsigned lane, std::uint64_t address,
                                std::uint32_t bytes) {
  RawFinding f;
  f.kind = FindingKind::AsyncCopy;
  f.ins = copy;
  f.space = Space::Global;
  f.address = address;
  f.bytes = bytes;
  if (const Allocation* a = block_->context.memory->find(address)) {
    f.allocation = a->name;
    f.offset = static_cast<std::int64_t>(address - a->address);
  }
  f.message =
      fmt::format("the {} bytes at offset {} of '{}' changed between the copy's issue and its wait",
                  bytes, f.offset, f.allocation);
  block_->worker->report(w, lane, std::move(f));
}

std::uint64_t fingerprint(const void* bytes, std::uint32_t count) {
  std::uint64_t words[2] = {};
  std::memcpy(words, bytes, std::min<std::size_t>(count, sizeof words));
  return words[0] * 0x9e3779b97f4a7c15u ^ (words[1] * 0xbf58476d1ce4e5b9u >> 7) ^ words[1] << 32;
}

}  // namespace kw::ptxvm

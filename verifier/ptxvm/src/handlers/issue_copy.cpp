// cp.async of a whole warp between plain places.

#include "exec/access.h"
#include "handlers/async_copy.h"
#include "handlers/offsets.h"
#include "handlers/race_windows.h"

namespace kw::ptxvm::KW_ISA {
namespace {

template <unsigned bytes>
bool fit_both(const Offsets& to, u64 to_size, const Offsets& from, u64 from_size) {
  return to_size >= bytes && from_size >= bytes && fit<bytes>(to, to_size) &&
         fit<bytes>(from, from_size);
}

// False, with nothing done, unless all is plain.
bool issue_whole(Warp& w, const Ins* ins) {
  const WarpControl& control = *w.control;
  if (w.mask != kFullMask || !w.plain_access || !control.committed_alike ||
      (ins->z & (CopyBits::kSized | CopyBits::kIgnored)) != 0)
    return false;
  const auto shift = [&](unsigned half) {
    return static_cast<u64>(static_cast<s32>(ins->imm >> (32 * half)));
  };
  const u64* const address = reg<const u64>(w, ins->b);
  const Region* region = w.region_cache[ins->cache];
  if (region == nullptr) region = find_region(w, ins, address[0] + shift(1));
  if (region == nullptr || (w.track_initialised && !region->complete)) return false;
  Offsets to, from;
  const bool near = find_offsets(address, shift(1) - region->lo, from) &&
                    ((ins->z & CopyBits::kNarrow) != 0
                         ? find_offsets(reg<const u32>(w, ins->a), static_cast<u32>(shift(0)), to)
                         : find_offsets(reg<const u64>(w, ins->a), shift(0), to));
  if (!near) return false;
  const u32 bytes = AccessBits{ins->y}.bytes();
  const u64 to_size = w.shared.hi, from_size = region->hi - region->lo;
  const bool good = bytes == 16  ? fit_both<16>(to, to_size, from, from_size)
                    : bytes == 8 ? fit_both<8>(to, to_size, from, from_size)
                                 : fit_both<4>(to, to_size, from, from_size);
  if (!good) return false;
  AsyncCopy& copy = add_copy(w);
  copy.mask = kFullMask;
  copy.bytes = bytes;
  copy.group = control.committed[0];
  copy.ins = ins;
  copy.watch = {watch_lanes<false>, watch_lanes<true>};
  copy.region = region;
  std::memcpy(copy.to_offset, to.at, sizeof to.at);
  std::memcpy(copy.from_offset, from.at, sizeof from.at);
  return true;
}

const Ins* copy_async(Warp& w, const Ins* ins) {
  if (!issue_whole(w, ins)) issue_copy(w, ins, {watch_lanes<false>, watch_lanes<true>});
  return ins + 1;
}

}  // namespace

void register_issue_copy(Registry& r) { r.add("$cp.async", copy_async, {}); }

}  // namespace kw::ptxvm::KW_ISA

// Registers of 128 bits: moving, packing, and exchange or compare-and-swap in memory.

#include <mutex>

#include "exec/access.h"
#include "handlers/lanes.h"

namespace kw::ptxvm::baseline {
namespace {

struct Wide {
  u64 low, high;
  friend bool operator==(const Wide&, const Wide&) = default;
};

const Ins* move(Warp& w, const Ins* ins) {
  const Wide* a = reg<const Wide>(w, ins->a);
  for_lanes(w, reg<Wide>(w, ins->d), [=](unsigned l) { return a[l]; });
  return ins + 1;
}
const Ins* pack(Warp& w, const Ins* ins) {
  const u64* low = reg<const u64>(w, ins->a);
  const u64* high = reg<const u64>(w, ins->b);
  for_lanes(w, reg<Wide>(w, ins->d), [=](unsigned l) { return Wide{low[l], high[l]}; });
  return ins + 1;
}
const Ins* unpack(Warp& w, const Ins* ins) {
  const Wide* from = reg<const Wide>(w, ins->d);
  for_lanes(w, reg<u64>(w, ins->a), [=](unsigned l) { return from[l].low; });
  for_lanes(w, reg<u64>(w, ins->b), [=](unsigned l) { return from[l].high; });
  return ins + 1;
}

// As atomics.cpp's, but under a lock: the host's instruction for it is not on every machine.
template <bool Compare>
const Ins* exchange(Warp& w, const Ins* ins) {
  static std::mutex mutex;
  const AccessBits access{ins->y};
  for (unsigned l = 0; l < kLanes; ++l) {
    w.address[l] = access.address32()
                       ? static_cast<u64>(static_cast<u32>(reg<const u32>(w, ins->a)[l] + ins->imm))
                       : reg<const u64>(w, ins->a)[l] + ins->imm;
  }
  if (w.count_memory) count_access(w, ins);
  const Wide* b = reg<const Wide>(w, ins->b);
  const Wide* c = reg<const Wide>(w, ins->c);
  Wide* d = reg<Wide>(w, ins->d);
  for (u32 m = w.mask; m != 0; m &= m - 1) {
    const auto l = static_cast<unsigned>(__builtin_ctz(m));
    std::byte* host =
        checked_bytes(w, ins, l, w.address[l], sizeof(Wide), access.space(), AccessKind::ReadWrite);
    Wide old{};
    if (host != nullptr) {
      const std::lock_guard lock(mutex);
      std::memcpy(&old, host, sizeof old);
      const Wide next = !Compare ? b[l] : old == b[l] ? c[l] : old;
      std::memcpy(host, &next, sizeof next);
    }
    if (ins->z != 0) d[l] = old;
  }
  return ins + 1;
}

}  // namespace

void register_wide(Registry& r) {
  r.add("mov.b128", move, {16, 16, 0, 0});
  r.add("$pack.2x64", pack, {16, 8, 8, 0});
  r.add("$unpack.2x64", unpack, {16, 8, 8, 0});
  r.add("$atom.exch.b128", exchange<false>, {16, 8, 16, 16});
  r.add("$atom.cas.b128", exchange<true>, {16, 8, 16, 16});
}

}  // namespace kw::ptxvm::baseline

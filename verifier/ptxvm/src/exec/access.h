#pragma once
// Memory accesses outside the fast paths of handlers/loadstore.cpp: addresses in several regions,
// generic addresses, everything that ends in a finding.

#include "exec/warp.h"

namespace kw::ptxvm {

/// The global-memory region that holds `address`, remembered in the instruction's cache slot;
/// nullptr if none does.
const Region* find_region(Warp& warp, const Ins* ins, std::uint64_t address);

/// Runs a load or store lane by lane from Warp::address, checking each; a bad lane gets a finding,
/// reads as zero and writes nothing.
const Ins* access_slowly(Warp& warp, const Ins* ins);

/// Reports the lanes of the access at Warp::address that touch shared memory which copies in flight
/// are going to write.
void touch_in_flight(Warp& warp, const Ins* ins);
/// Notes the access at Warp::address with the race checks, lane by lane (exec/races.h); a store's
/// bytes are also written.
void note_lanes(Warp& warp, const Ins* ins, const Region& region);

/// A lane uses a register that it never wrote.
void report_unwritten(Warp& warp, const Ins* ins, unsigned lane);
/// A lane's address comes from index arithmetic that wrapped at instruction `source`.
void report_wrapped(Warp& warp, const Ins* ins, unsigned lane, std::uint32_t source);

/// Counts sectors or bank waves of the access at Warp::address.
void count_access(Warp& warp, const Ins* ins);

enum class AccessKind : std::uint8_t { Read, Write, ReadWrite };

/// Host bytes of one lane's access after all checks, or nullptr after reporting a finding. `space`
/// as the instruction says; Generic is resolved. Marks written bytes as initialised. `value`, if
/// known, is what a write stores: storing what is there races with no other write.
std::byte* checked_bytes(Warp& warp, const Ins* ins, unsigned lane, std::uint64_t address,
                         std::uint32_t bytes, std::uint32_t space, AccessKind kind,
                         const std::byte* value = nullptr);

/// What checked_bytes() would return, if that is quick to tell; nullptr: ask it. Marks nothing.
inline std::byte* quick_bytes(Warp& w, const Ins* ins, std::uint64_t address, std::uint32_t bytes,
                              std::uint32_t space, bool write, bool read, bool watched) {
  constexpr std::uint32_t kGlobal = 0, kShared = 1;  // kw::ptxvm::Space
  const Region* r = space == kShared ? &w.shared : w.region_cache[ins->cache];
  if (space > kShared || r == nullptr || watched) return nullptr;
  static_assert(kGlobal == 0);
  const std::uint64_t offset = address - r->lo, size = r->hi - r->lo;
  if (size < bytes || offset > size - bytes || (address & (bytes - 1)) != 0 ||
      (write && r->read_only))
    return nullptr;
  if (w.track_initialised && read && !r->complete) {
    for (std::uint32_t k = 0; k < bytes; ++k) {
      if (r->initialised[offset + k] == 0) return nullptr;
    }
  }
  return r->host + offset;
}

}  // namespace kw::ptxvm

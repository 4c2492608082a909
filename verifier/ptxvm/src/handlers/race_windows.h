#pragma once
// The common cases of the race checks, vectorised: a warp reads or writes a window of granules.
// What is not plainly in order is left to note_lanes() (exec/races.h).

#include "exec/shadow.h"
#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

inline constexpr u32 kNobody = 64;             // no lane touches the granule
inline constexpr unsigned kWindow = 1024;      // granules
inline constexpr unsigned kWindowUnits = 256;  // accesses side by side

struct WindowBuffers {
  alignas(64) u32 first[kWindow];
  alignas(64) u32 last[kWindow];
};

/// Granule -> lane where every lane has 1, 2, 4, .. 32 granules, one after the other.
struct LaneTables {
  u32 at[6][kWindow];

  constexpr LaneTables() : at() {
    for (unsigned k = 0; k < 6; ++k) {
      for (unsigned i = 0; i < kWindow; ++i) at[k][i] = i >> k;
    }
  }
};
inline constexpr LaneTables kLaneTables;

/// The lanes that touch each granule of a window: the lowest and the highest.
struct Touch {
  const u32* first;
  const u32* last;  // nullptr: the same
  unsigned count;
  bool holes;
};

struct WindowState {
  Stamp launch_lo, block_lo, ordered, now, own_known;
  u32 me;

  u32 fresh(Stamp t) const {
    return static_cast<u32>(t >= launch_lo) & static_cast<u32>(t - block_lo > ordered);
  }
  // An access at t by `who` in another slot is in order with one by `lane` of this warp.
  u32 in_order(Stamp t, u32 who, u32 lane) const {
    const u32 difference = (who ^ me ^ lane) & Who::kThreadMask;
    const u32 mine = static_cast<u32>(t - block_lo <= now - block_lo);
    const u32 same = static_cast<u32>(difference == 0);
    const u32 synced =
        static_cast<u32>((difference & Who::kWarpMask) == 0) & static_cast<u32>(t <= own_known);
    return (fresh(t) ^ 1u) | (mine & (same | synced));
  }
};

inline WindowState window_state(const WarpRaces& k, const Freshness& f, u32 site) {
  return {f.launch_lo, f.block_lo, f.ordered, *k.now, k.own_known, k.who | site << Who::kSiteShift};
}

/// False: nothing was recorded, the slow path must look.
template <bool Multiple, bool Holes>
inline __attribute__((always_inline)) bool read_window_as(const WindowState& k, bool block_sync,
                                                          Shadow& s, std::size_t at, Touch touch) {
  const unsigned n = touch.count;
  const u32* const first = touch.first;
  const u32* const last = Multiple ? touch.last : touch.first;
  const auto here = [&](unsigned i) -> u32 { return Holes ? first[i] != kNobody : 1u; };
  u32 bad = 0;
  const auto check = [&](const Stamp* t, const u32* who) {
    KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) {
      u32 good = k.in_order(t[i], who[i], first[i]);
      if (Multiple) good &= k.in_order(t[i], who[i], last[i]);
      bad |= here(i) & (good ^ 1u);
    }
  };
  if (s.has_write) check(s.write + at, s.writer + at);
  if (s.has_strong) {
    check(s.write2 + at, s.writer2 + at);
    check(s.write3 + at, s.writer3 + at);
  }
  if (bad != 0) return false;
  Stamp* const r = s.read + at;
  u32* const reader = s.reader + at;
  u32 fresh = 0;
  KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) fresh |= here(i) & k.fresh(r[i]);
  s.has_read = true;
  Stamp* const r2 = s.read2 + at;
  u32* const reader2 = s.reader2 + at;
  if (fresh == 0) {
    KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) {
      r[i] = here(i) ? k.now : r[i];
      reader[i] = here(i) ? k.me | first[i] : reader[i];
    }
    if (Multiple) {
      s.has_read2 = true;
      KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) {
        const u32 put =
            here(i) & static_cast<u32>(first[i] != last[i]) & ((k.fresh(r2[i]) & r2[i] & 1u) ^ 1u);
        r2[i] = put != 0 ? k.now : r2[i];
        reader2[i] = put != 0 ? k.me | last[i] : reader2[i];
      }
    }
    return true;
  }
  if (block_sync) {
    u32 foreign = 0;
    KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) {
      foreign |= here(i) & k.fresh(r[i]) & static_cast<u32>(r[i] - k.block_lo > k.now - k.block_lo);
    }
    if (foreign != 0) return false;
  }
  s.has_read2 = true;
  KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) {
    const u32 replace = here(i) & k.in_order(r[i], reader[i], first[i]);
    const u32 foreign = static_cast<u32>(r[i] - k.block_lo > k.now - k.block_lo);
    const u32 other = foreign | static_cast<u32>(((reader[i] ^ k.me) & Who::kWarpMask) != 0);
    const u32 final2 = k.fresh(r2[i]) & r2[i] & 1u;
    const u32 second = here(i) & (final2 ^ 1u) &
                       (Multiple ? (replace ^ 1u) | (first[i] != last[i]) : replace ^ 1u);
    const u32 tag = (replace ^ 1u) & other;
    r2[i] = second != 0 ? k.now | tag : r2[i];
    reader2[i] = second != 0 ? k.me | last[i] : reader2[i];
    r[i] = replace != 0 ? k.now : r[i];
    reader[i] = replace != 0 ? k.me | first[i] : reader[i];
  }
  return true;
}

inline bool read_window(const WindowState& k, bool block_sync, Shadow& s, std::size_t at,
                        Touch touch) {
  if (touch.last == nullptr) return read_window_as<false, false>(k, block_sync, s, at, touch);
  if (!touch.holes) return read_window_as<true, false>(k, block_sync, s, at, touch);
  return read_window_as<true, true>(k, block_sync, s, at, touch);
}

/// Same for a write. Two lanes at one granule are the slow path's.
template <bool Multiple, bool Holes>
inline __attribute__((always_inline)) bool write_window_as(const WindowState& k, Shadow& s,
                                                           std::size_t at, Touch touch) {
  const unsigned n = touch.count;
  const u32* const first = touch.first;
  const auto here = [&](unsigned i) -> u32 { return Holes ? first[i] != kNobody : 1u; };
  u32 bad = 0;
  if (Multiple) {
    for (unsigned i = 0; i < n; ++i) bad |= here(i) & static_cast<u32>(first[i] != touch.last[i]);
  }
  const auto check = [&](const Stamp* t, const u32* who) {
    KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) bad |=
        here(i) & (k.in_order(t[i], who[i], first[i]) ^ 1u);
  };
  if (s.has_write) check(s.write + at, s.writer + at);
  if (s.has_strong) {
    check(s.write2 + at, s.writer2 + at);
    check(s.write3 + at, s.writer3 + at);
  }
  if (s.has_read) check(s.read + at, s.reader + at);
  if (s.has_read2) check(s.read2 + at, s.reader2 + at);
  if (bad != 0) return false;
  s.has_write = true;
  Stamp* const t = s.write + at;
  u32* const who = s.writer + at;
  KW_INDEPENDENT for (unsigned i = 0; i < n; ++i) {
    t[i] = here(i) ? k.now : t[i];
    who[i] = here(i) ? k.me | first[i] : who[i];
  }
  return true;
}

inline bool write_window(const WindowState& k, Shadow& s, std::size_t at, Touch touch) {
  if (touch.last == nullptr) return write_window_as<false, false>(k, s, at, touch);
  if (!touch.holes) return write_window_as<true, false>(k, s, at, touch);
  return write_window_as<true, true>(k, s, at, touch);
}

}  // namespace kw::ptxvm::KW_ISA

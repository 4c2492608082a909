#pragma once
// Loads and stores of a whole warp in one region, with nothing to watch or to count. Whatever else
// there is goes to the handlers of loadstore.cpp.

#include "handlers/initialised.h"
#include "handlers/offsets.h"
#include "handlers/transpose.h"

namespace kw::ptxvm::KW_ISA {

// What an access needs to be quick; host is nullptr where it is not.
struct QuickPlace {
  std::byte* host;
  u8* initialised;  // nullptr: nothing to check or mark
  bool contiguous;
};

// Regions begin at multiples of 256.
template <unsigned N, bool shared, bool store, class T>
inline __attribute__((always_inline)) QuickPlace quick_place(Warp& w, const Ins* ins, Offsets& o) {
  constexpr QuickPlace kNo{nullptr, nullptr, false};
  if (KW_UNLIKELY(w.mask != kFullMask || !w.plain_access)) return kNo;
  const Region* r = shared ? &w.shared : w.region_cache[ins->cache];
  if (KW_UNLIKELY(r == nullptr || (store && r->read_only))) return kNo;
  const u64 size = r->hi - r->lo;
  const T shift = static_cast<T>(ins->imm - r->lo);
  if (KW_UNLIKELY(!find_offsets(reg<const T>(w, ins->a), shift, o) || size < N)) return kNo;
  u8* const marks = w.track_initialised && !r->complete ? r->initialised : nullptr;
  if (KW_LIKELY(are_contiguous<N>(o))) {
    const u64 first = o.at[0];
    if (KW_UNLIKELY(first + 32 * N > size || first % N != 0)) return kNo;
    return {r->host, marks, true};
  }
  if (KW_UNLIKELY(!fit<N>(o, size))) return kNo;
  return {r->host, marks, false};
}

template <unsigned N>
inline bool all_initialised(const QuickPlace& place, const Offsets& o) {
  if (place.contiguous) return all_marked<32 * N>(place.initialised + o.at[0]);
  bool good = true;
  for (unsigned l = 0; l < kLanes; ++l) good &= all_marked<N>(place.initialised + o.at[l]);
  return good;
}

// Each lane's vector of V elements of type M becomes lane values of registers d.
template <class M, class R, unsigned V>
inline void gather(R* const* d, const std::byte* host, const Offsets& o) {
  if (are_uniform_by_groups(o)) {
    for (unsigned g = 0; g < kGroups; ++g) {
      const M* from = reinterpret_cast<const M*>(host + o.at[8 * g]);
      for (unsigned v = 0; v < V; ++v) {
        const R value = static_cast<R>(from[v]);
        for (unsigned l = 8 * g; l < 8 * g + 8; ++l) d[v][l] = value;
      }
    }
    return;
  }
  if constexpr (kTransposed<M, R, V>) {
    const bool half = do_repeat(o);
    for (unsigned first = 0; first < (half ? kLanes / 2 : kLanes); first += 4)
      load_4_lanes<V>(d, first, [&](unsigned l) { return host + o.at[l]; });
    if (!half) return;
    for (unsigned v = 0; v < V; ++v) std::memcpy(d[v] + 16, d[v], 16 * sizeof(R));
  } else {
    for (unsigned l = 0; l < kLanes; ++l) {
      const M* from = reinterpret_cast<const M*>(host + o.at[l]);
      for (unsigned v = 0; v < V; ++v) d[v][l] = static_cast<R>(from[v]);
    }
  }
}

template <class R, unsigned V>
inline void value_registers(Warp& w, const Ins* ins, R** out) {
  const u32 operands[4] = {ins->d, ins->b, ins->c, ins->x};
  for (unsigned v = 0; v < V; ++v) out[v] = reg<R>(w, operands[v]);
}

template <class M, class R, unsigned V, bool shared, class T, Handler other>
const Ins* quick_load(Warp& w, const Ins* ins) {
  constexpr unsigned N = sizeof(M) * V;
  Offsets o;
  const QuickPlace place = quick_place<N, shared, false, T>(w, ins, o);
  if (KW_UNLIKELY(place.host == nullptr)) return other(w, ins);
  if (place.initialised != nullptr && KW_UNLIKELY(!all_initialised<N>(place, o)))
    return other(w, ins);
  R* d[V];
  value_registers<R, V>(w, ins, d);
  if (V == 1 && place.contiguous) {
    const M* from = reinterpret_cast<const M*>(place.host + o.at[0]);
    R* to = d[0];
    KW_LANES { to[l] = static_cast<R>(from[l]); }
  } else {
    gather<M, R, V>(d, place.host, o);
  }
  KW_NEXT;
}

template <class M, class R, unsigned V, bool shared, class T, Handler other>
const Ins* quick_store(Warp& w, const Ins* ins) {
  constexpr unsigned N = sizeof(M) * V;
  Offsets o;
  const QuickPlace place = quick_place<N, shared, true, T>(w, ins, o);
  if (KW_UNLIKELY(place.host == nullptr)) return other(w, ins);
  if (place.initialised != nullptr) {
    if (place.contiguous) {
      std::memset(place.initialised + o.at[0], 1, 32 * N);
    } else {
      for (unsigned l = 0; l < kLanes; ++l) std::memset(place.initialised + o.at[l], 1, N);
    }
  }
  R* d[V];
  value_registers<R, V>(w, ins, d);
  if (V == 1 && place.contiguous) {
    M* to = reinterpret_cast<M*>(place.host + o.at[0]);
    const R* from = d[0];
    KW_LANES { to[l] = static_cast<M>(from[l]); }
  } else if constexpr (kTransposed<M, R, V> && V > 1) {
    for (unsigned first = 0; first < kLanes; first += 4)
      store_4_lanes<V>(d, first, [&](unsigned l) { return place.host + o.at[l]; });
  } else {
    for (unsigned l = 0; l < kLanes; ++l) {
      M* to = reinterpret_cast<M*>(place.host + o.at[l]);
      for (unsigned v = 0; v < V; ++v) to[v] = static_cast<M>(d[v][l]);
    }
  }
  KW_NEXT;
}

}  // namespace kw::ptxvm::KW_ISA

// ld and st of global, shared and local memory where quick_access.h does not serve: part of a warp,
// accesses that are watched or counted. One region and aligned addresses; all else goes to
// access_slowly().

#include <type_traits>

#include "exec/access.h"
#include "handlers/lanes.h"
#include "handlers/quick_access.h"
#include "handlers/race_windows.h"

namespace kw::ptxvm::KW_ISA {
namespace {

enum class Where { Global, Shared, Local };  // Global also serves const and generic

struct Shape {
  bool contiguous, uniform;
  u64 lo, hi, any_bits;
};

// Addresses of the lanes, as wide as the register they come from.
template <class T>
struct Addresses {
  alignas(64) T at[kLanes];
};

template <class T>
inline void read_addresses(Warp& w, const Ins* ins, Addresses<T>& a) {
  const T* base = reg<const T>(w, ins->a);
  const T offset = static_cast<T>(ins->imm);
  KW_LANES { a.at[l] = static_cast<T>(base[l] + offset); }
}
template <class T>
inline void publish(Warp& w, const Addresses<T>& a) {
  KW_LANES { w.address[l] = a.at[l]; }
}

/// N is the size of one lane's access.
template <unsigned N, class T>
inline Shape find_shape(const Warp& w, const Addresses<T>& addresses) {
  using Signed = std::conditional_t<sizeof(T) == 4, s32, s64>;
  const T* const at = addresses.at;
  Shape s{false, false, 0, 0, 0};
  const u32 m = w.mask;
  if (KW_LIKELY(m == kFullMask)) {
    const T first = at[0];
    T not_contiguous = 0, not_uniform = 0;
    for (unsigned l = 0; l < kLanes; ++l) {
      const T distance = static_cast<T>(at[l] - first);
      not_contiguous = static_cast<T>(not_contiguous | (distance - l * N));
      not_uniform = static_cast<T>(not_uniform | distance);
    }
    s.contiguous = not_contiguous == 0;
    s.uniform = not_uniform == 0;
    s.any_bits =
        first | (s.contiguous ? T{0} : not_uniform);  // multiples of N apart: aligned alike
    s.lo = s.hi = first;
    if (s.contiguous) {
      s.hi = s.lo + 31 * N;
    } else if (!s.uniform) {
      // As signed numbers: what is above half the address space lies in no region either way.
      Signed lo = static_cast<Signed>(first), hi = lo;
      for (unsigned l = 0; l < kLanes; ++l) {
        const Signed x = static_cast<Signed>(at[l]);
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
      }
      s.lo = static_cast<T>(lo);
      s.hi = static_cast<T>(hi);
    }
    return s;
  }
  const T first = at[__builtin_ctz(m | 0x80000000u)];
  Signed lo = static_cast<Signed>(first), hi = lo;
  T any = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    const T x = (m >> l & 1) != 0 ? at[l] : first;
    lo = static_cast<Signed>(x) < lo ? static_cast<Signed>(x) : lo;
    hi = static_cast<Signed>(x) > hi ? static_cast<Signed>(x) : hi;
    any = static_cast<T>(any | x);
  }
  s.any_bits = any;
  s.lo = static_cast<T>(lo);
  s.hi = static_cast<T>(hi);
  return s;
}

inline bool holds(const Region& r, const Shape& s, unsigned n) {
  const u64 size = r.hi - r.lo;
  return size >= n && s.lo - r.lo <= size - n && s.hi - r.lo <= size - n;
}

// The region of the whole access; nullptr where the slow path must look.
template <Where where>
inline const Region* locate(Warp& w, const Ins* ins, const Shape& s, unsigned n, Region& local) {
  if constexpr (where == Where::Shared) {
    return holds(w.shared, s, n) ? &w.shared : nullptr;
  } else if constexpr (where == Where::Local) {
    local = {0, w.local_bytes, w.local, w.local_initialised, nullptr, false, false};
    return holds(local, s, n) ? &local : nullptr;
  } else {
    const Region* r = w.region_cache[ins->cache];
    if (KW_LIKELY(r != nullptr && holds(*r, s, n))) return r;
    r = find_region(w, ins, s.lo);
    return r != nullptr && holds(*r, s, n) ? r : nullptr;
  }
}

template <Where where, class T>
inline u64 lane_offset(const Warp& w, const Addresses<T>& a, const Region& r, unsigned l) {
  return where == Where::Local ? a.at[l] + u64{l} * w.local_stride : a.at[l] - r.lo;
}

template <unsigned N, Where where, class T>
inline bool all_initialised(const Warp& w, const Addresses<T>& a, const Region& r, const Shape& s) {
  if (s.contiguous && where != Where::Local)
    return all_marked<32 * N>(r.initialised + (s.lo - r.lo));
  if (s.uniform && where != Where::Local) return all_marked<N>(r.initialised + (s.lo - r.lo));
  bool good = true;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) != 0)
      good &= all_marked<N>(r.initialised + lane_offset<where>(w, a, r, l));
  }
  return good;
}

constexpr unsigned log2_of(unsigned n) { return n == 1 ? 0 : 1 + log2_of(n / 2); }

constexpr u64 kLargestSpan = u64{1} << 31;

// The same for every size of access. False: lane by lane.
template <bool store, class T>
__attribute__((noinline)) bool watch_window(Warp& w, const Ins* ins, const T* at, const Region& r,
                                            const Shape& s, unsigned log2) {
  const WarpRaces& k = *w.races;
  const bool shared = &r == &w.shared;
  Shadow& shadow = shared ? *k.shared_shadow : k.global_shadows[&r - w.regions];
  if (AccessBits{ins->y}.strong() || shadow.chunks == nullptr || s.hi - s.lo >= kLargestSpan)
    return false;
  const unsigned shift = shared ? k.shared_shift : k.global_shift;
  const u64 granule = (s.lo - r.lo) >> shift;
  auto chunk = static_cast<std::size_t>(granule / kChunkGranules);
  const Touch& touch = s.contiguous ? contiguous_touch(k, log2 - shift, granule)
                                    : find_touch(k, ins, w.mask, at, s.lo, r.lo, 1u << log2, shift,
                                               shared);
  return watch_touch<store>(race_clock(k, shared, ins->source), shadow, chunk, touch);
}

// Holds the access against what others did to the same bytes; a store that is not plainly in order
// is also carried out.
template <Where where, unsigned N, bool store, class T>
__attribute__((noinline)) void watch_access(Warp& w, const Ins* ins, const Addresses<T>& a,
                                            const Region& r, const Shape& s) {
  if (where == Where::Shared && w.in_flight != nullptr) {
    u32 any = 0;
    for (u64 g = s.lo / 4; g <= (s.hi + N - 1) / 4; ++g) any |= w.in_flight[g];
    if (any != 0) {
      publish(w, a);
      touch_in_flight(w, ins);
    }
  }
  if (w.races == nullptr || watch_window<store>(w, ins, a.at, r, s, log2_of(N))) return;
  publish(w, a);
  note_lanes(w, ins, r);
}

template <class M, class R, unsigned V, Where where, class T>
const Ins* load_at(Warp& w, const Ins* ins) {
  constexpr unsigned N = sizeof(M) * V;
  Addresses<T> a;
  read_addresses(w, ins, a);
  const Shape s = find_shape<N>(w, a);
  Region local{};
  const Region* r = locate<where>(w, ins, s, N, local);
  if (KW_UNLIKELY(
          r == nullptr || (s.any_bits & (N - 1)) != 0 ||
          (w.track_initialised && !r->complete && !all_initialised<N, where>(w, a, *r, s)))) {
    publish(w, a);
    return access_slowly(w, ins);
  }
  if (KW_UNLIKELY(w.count_memory)) {
    publish(w, a);
    count_access(w, ins);
  }
  if (where != Where::Local && KW_UNLIKELY(w.watched))
    watch_access<where, N, false>(w, ins, a, *r, s);
  R* d[V];
  value_registers<R, V>(w, ins, d);
  const std::byte* host = r->host;
  if (where != Where::Local && s.contiguous && V == 1) {
    const M* from = reinterpret_cast<const M*>(host + (s.lo - r->lo));
    R* to = d[0];
    KW_LANES { to[l] = static_cast<R>(from[l]); }
  } else if (where != Where::Local && s.uniform) {
    const M* from = reinterpret_cast<const M*>(host + (s.lo - r->lo));
    for (unsigned v = 0; v < V; ++v) {
      const R value = static_cast<R>(from[v]);
      R* to = d[v];
      KW_LANES { to[l] = value; }
    }
  } else if (w.mask == kFullMask) {
    if constexpr (kTransposed<M, R, V> && V == 4) {
      for (unsigned first = 0; first < kLanes; first += 4) {
        load_4_lanes<V>(d, first, [&](unsigned l) -> const void* {
          return host + lane_offset<where>(w, a, *r, l);
        });
      }
    } else {
      for (unsigned l = 0; l < kLanes; ++l) {
        const M* from = reinterpret_cast<const M*>(host + lane_offset<where>(w, a, *r, l));
        for (unsigned v = 0; v < V; ++v) d[v][l] = static_cast<R>(from[v]);
      }
    }
  } else {
    for (u32 m = w.mask; m != 0; m &= m - 1) {
      const unsigned l = static_cast<unsigned>(__builtin_ctz(m));
      const M* from = reinterpret_cast<const M*>(host + lane_offset<where>(w, a, *r, l));
      for (unsigned v = 0; v < V; ++v) d[v][l] = static_cast<R>(from[v]);
    }
  }
  KW_NEXT;
}

template <class M, class R, unsigned V, Where where, class T>
const Ins* store_at(Warp& w, const Ins* ins) {
  constexpr unsigned N = sizeof(M) * V;
  Addresses<T> a;
  read_addresses(w, ins, a);
  const Shape s = find_shape<N>(w, a);
  Region local{};
  const Region* r = locate<where>(w, ins, s, N, local);
  if (KW_UNLIKELY(r == nullptr || (s.any_bits & (N - 1)) != 0 || r->read_only)) {
    publish(w, a);
    return access_slowly(w, ins);
  }
  if (KW_UNLIKELY(w.count_memory)) {
    publish(w, a);
    count_access(w, ins);
  }
  if (where != Where::Local && KW_UNLIKELY(w.watched))
    watch_access<where, N, true>(w, ins, a, *r, s);
  R* d[V];
  value_registers<R, V>(w, ins, d);
  const auto at = [&](unsigned l) -> void* { return r->host + lane_offset<where>(w, a, *r, l); };
  if (w.track_initialised && !r->complete) {
    if (where != Where::Local && s.contiguous) {
      std::memset(r->initialised + (s.lo - r->lo), 1, 32 * N);
    } else {
      for (u32 m = w.mask; m != 0; m &= m - 1) {
        std::memset(
            r->initialised + lane_offset<where>(w, a, *r, static_cast<unsigned>(__builtin_ctz(m))),
            1, N);
      }
    }
  }
  if (where != Where::Local && s.contiguous && V == 1) {
    M* to = reinterpret_cast<M*>(r->host + (s.lo - r->lo));
    const R* from = d[0];
    KW_LANES { to[l] = static_cast<M>(from[l]); }
    KW_NEXT;
  }
  if constexpr (kTransposed<M, R, V> && V == 4) {
    if (w.mask == kFullMask) {
      for (unsigned first = 0; first < kLanes; first += 4) store_4_lanes<V>(d, first, at);
      KW_NEXT;
    }
  }
  for (u32 m = w.mask; m != 0;) {
    const auto l = static_cast<unsigned>(KW_UNLIKELY(w.reverse_lanes) ? 31 - __builtin_clz(m)
                                                                      : __builtin_ctz(m));
    m &= ~(1u << l);
    M* to = static_cast<M*>(at(l));
    for (unsigned v = 0; v < V; ++v) to[v] = static_cast<M>(d[v][l]);
  }
  KW_NEXT;
}

// A kernel parameter at a constant offset: the same value for all lanes.
template <class M, class R>
const Ins* load_parameter(Warp& w, const Ins* ins) {
  M value;
  std::memcpy(&value, w.parameters + ins->imm, sizeof value);
  const R wide = static_cast<R>(value);
  for_lanes(w, reg<R>(w, ins->d), [=](unsigned) { return wide; });
  KW_NEXT;
}

// The quick handlers stand in front of those above, except for local memory, where lanes are apart.
template <Where where, class M, class R, unsigned V, class T>
constexpr Handler load_handler() {
  if constexpr (where == Where::Local) return load_at<M, R, V, where, T>;
  return quick_load<M, R, V, where == Where::Shared, T, load_at<M, R, V, where, T>>;
}
template <Where where, class M, class R, unsigned V, class T>
constexpr Handler store_handler() {
  if constexpr (where == Where::Local) return store_at<M, R, V, where, T>;
  return quick_store<M, R, V, where == Where::Shared, T, store_at<M, R, V, where, T>>;
}

// 32-bit addresses (".n" after the shape) are for shared memory only.
template <Where where, class M, class R, unsigned V>
void add_load(Registry& r, const char* space, const char* shape, const char* narrow) {
  r.add("$ld", space, shape, load_handler<where, M, R, V, u64>(), {width<R>(), 8, 0, 0});
  if constexpr (where == Where::Shared) {
    r.add("$ld.shared", shape, narrow, load_handler<where, M, R, V, u32>(), {width<R>(), 4, 0, 0});
  }
}
template <Where where, class M, class R, unsigned V>
void add_vector(Registry& r, const char* space, const char* shape) {
  add_load<where, M, R, V>(r, space, shape, "n");
  r.add("$st", space, shape, store_handler<where, M, R, V, u64>(), {width<R>(), 8, 0, 0});
  if constexpr (where == Where::Shared) {
    r.add("$st.shared", shape, "n", store_handler<where, M, R, V, u32>(), {width<R>(), 4, 0, 0});
  }
}
template <Where where>
void add_space(Registry& r, const char* space) {
  add_vector<where, u8, u16, 1>(r, space, "u8.v1");
  add_vector<where, u8, u16, 2>(r, space, "u8.v2");
  add_vector<where, u8, u16, 4>(r, space, "u8.v4");
  add_load<where, s8, s16, 1>(r, space, "s8.v1", "n");
  add_load<where, s8, s16, 2>(r, space, "s8.v2", "n");
  add_load<where, s8, s16, 4>(r, space, "s8.v4", "n");
  add_vector<where, u16, u16, 1>(r, space, "b16.v1");
  add_vector<where, u16, u16, 2>(r, space, "b16.v2");
  add_vector<where, u16, u16, 4>(r, space, "b16.v4");
  add_vector<where, u32, u32, 1>(r, space, "b32.v1");
  add_vector<where, u32, u32, 2>(r, space, "b32.v2");
  add_vector<where, u32, u32, 4>(r, space, "b32.v4");
  add_vector<where, u64, u64, 1>(r, space, "b64.v1");
  add_vector<where, u64, u64, 2>(r, space, "b64.v2");
  add_vector<where, u64, u64, 4>(r, space, "b64.v4");
}

}  // namespace

void register_loadstore(Registry& r) {
  add_space<Where::Global>(r, "global");
  add_space<Where::Shared>(r, "shared");
  add_space<Where::Local>(r, "local");
  r.add("$ld.param.u8", load_parameter<u8, u16>, {2, 0, 0, 0});
  r.add("$ld.param.s8", load_parameter<s8, s16>, {2, 0, 0, 0});
  r.add("$ld.param.b16", load_parameter<u16, u16>, {2, 0, 0, 0});
  r.add("$ld.param.b32", load_parameter<u32, u32>, {4, 0, 0, 0});
  r.add("$ld.param.b64", load_parameter<u64, u64>, {8, 0, 0, 0});
}

}  // namespace kw::ptxvm::KW_ISA

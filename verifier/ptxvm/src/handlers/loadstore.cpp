// ld and st of global, shared and local memory. The fast paths cover one region and aligned
// addresses, with contiguous, uniform or scattered lanes; all else goes to access_slowly().

#include "exec/access.h"
#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {
namespace {

enum class Where { Global, Shared, Local };  // Global also serves const and generic

struct Shape {
  bool contiguous, uniform;
  u64 lo, hi, any_bits;
};

/// Fills Warp::address; N is the size of one lane's access.
template <unsigned N>
inline Shape find_shape(Warp& w, const Ins* ins) {
  u64* const at = w.address;
  if ((ins->y & AccessBits::kAddress32) != 0) {
    const u32* a = reg<const u32>(w, ins->a);
    const u32 offset = static_cast<u32>(ins->imm);
    KW_LANES { at[l] = a[l] + offset; }
  } else {
    const u64* a = reg<const u64>(w, ins->a);
    const u64 offset = ins->imm;
    KW_LANES { at[l] = a[l] + offset; }
  }
  Shape s{false, false, 0, 0, 0};
  const u32 m = w.mask;
  if (KW_LIKELY(m == kFullMask)) {
    const u64 first = at[0];
    u64 not_contiguous = 0, not_uniform = 0;
    for (unsigned l = 0; l < kLanes; ++l) {
      not_contiguous |= at[l] - (first + l * N);
      not_uniform |= at[l] ^ first;
      s.any_bits |= at[l];
    }
    s.contiguous = not_contiguous == 0;
    s.uniform = not_uniform == 0;
    s.lo = s.hi = first;
    if (s.contiguous) {
      s.hi = first + 31 * N;
    } else if (!s.uniform) {
      s64 lo = static_cast<s64>(first), hi = lo;
      for (unsigned l = 0; l < kLanes; ++l) {
        const s64 x = static_cast<s64>(at[l]);
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
      }
      s.lo = static_cast<u64>(lo);
      s.hi = static_cast<u64>(hi);
    }
    return s;
  }
  const u64 first = at[__builtin_ctz(m | 0x80000000u)];
  s64 lo = static_cast<s64>(first), hi = lo;
  for (unsigned l = 0; l < kLanes; ++l) {
    const s64 x = static_cast<s64>((m >> l & 1) != 0 ? at[l] : first);
    lo = x < lo ? x : lo;
    hi = x > hi ? x : hi;
    s.any_bits |= static_cast<u64>(x);
  }
  s.lo = static_cast<u64>(lo);
  s.hi = static_cast<u64>(hi);
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
    local = {0, w.local_bytes, w.local, w.local_initialised, nullptr, false};
    return holds(local, s, n) ? &local : nullptr;
  } else {
    const Region* r = w.region_cache[ins->cache];
    if (KW_LIKELY(r != nullptr && holds(*r, s, n))) return r;
    r = find_region(w, ins, s.lo);
    return r != nullptr && holds(*r, s, n) ? r : nullptr;
  }
}

template <Where where>
inline u64 lane_offset(const Warp& w, const Region& r, unsigned l) {
  return where == Where::Local ? w.address[l] + u64{l} * w.local_stride : w.address[l] - r.lo;
}

template <unsigned N>
struct Mark;
template <>
struct Mark<1> {
  using type = u8;
};
template <>
struct Mark<2> {
  using type = u16;
};
template <>
struct Mark<4> {
  using type = u32;
};
template <>
struct Mark<8> {
  using type = u64;
};

template <unsigned N>
inline bool all_marked(const u8* marks) {
  constexpr unsigned kStep = N < 8 ? N : 8;
  using T = typename Mark<kStep>::type;
  T all = static_cast<T>(~T{0});
  for (unsigned k = 0; k < N; k += kStep) {
    T t;
    std::memcpy(&t, marks + k, kStep);
    all = static_cast<T>(all & t);
  }
  return all == static_cast<T>(0x0101010101010101u);
}

template <unsigned N, Where where>
inline bool all_initialised(const Warp& w, const Region& r, const Shape& s) {
  if (s.contiguous && where != Where::Local)
    return all_marked<32 * N>(r.initialised + (s.lo - r.lo));
  if (s.uniform && where != Where::Local) return all_marked<N>(r.initialised + (s.lo - r.lo));
  bool good = true;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) != 0) good &= all_marked<N>(r.initialised + lane_offset<where>(w, r, l));
  }
  return good;
}

template <class M, class R, unsigned V>
inline void registers(Warp& w, const Ins* ins, R** out) {
  const u32 operands[4] = {ins->d, ins->b, ins->c, ins->x};
  for (unsigned v = 0; v < V; ++v) out[v] = reg<R>(w, operands[v]);
}

template <class M, class R, unsigned V, Where where>
const Ins* load(Warp& w, const Ins* ins) {
  constexpr unsigned N = sizeof(M) * V;
  const Shape s = find_shape<N>(w, ins);
  Region local{};
  const Region* r = locate<where>(w, ins, s, N, local);
  if (KW_UNLIKELY(r == nullptr || (s.any_bits & (N - 1)) != 0)) return access_slowly(w, ins);
  if (w.track_initialised && KW_UNLIKELY(!(all_initialised<N, where>(w, *r, s))))
    return access_slowly(w, ins);
  if (KW_UNLIKELY(w.count_memory)) count_access(w, ins);
  R* d[V];
  registers<M, R, V>(w, ins, d);
  const std::byte* host = r->host;
  if (where != Where::Local && s.contiguous) {
    const M* from = reinterpret_cast<const M*>(host + (s.lo - r->lo));
    if constexpr (V == 1) {
      R* to = d[0];
      KW_LANES { to[l] = static_cast<R>(from[l]); }
    } else {
      for (unsigned v = 0; v < V; ++v) {
        R* to = d[v];
        KW_LANES { to[l] = static_cast<R>(from[l * V + v]); }
      }
    }
  } else if (where != Where::Local && s.uniform) {
    const M* from = reinterpret_cast<const M*>(host + (s.lo - r->lo));
    for (unsigned v = 0; v < V; ++v) {
      const R value = static_cast<R>(from[v]);
      R* to = d[v];
      KW_LANES { to[l] = value; }
    }
  } else if (w.mask == kFullMask) {
    for (unsigned l = 0; l < kLanes; ++l) {
      const M* from = reinterpret_cast<const M*>(host + lane_offset<where>(w, *r, l));
      for (unsigned v = 0; v < V; ++v) d[v][l] = static_cast<R>(from[v]);
    }
  } else {
    for (u32 m = w.mask; m != 0; m &= m - 1) {
      const unsigned l = static_cast<unsigned>(__builtin_ctz(m));
      const M* from = reinterpret_cast<const M*>(host + lane_offset<where>(w, *r, l));
      for (unsigned v = 0; v < V; ++v) d[v][l] = static_cast<R>(from[v]);
    }
  }
  KW_NEXT;
}

template <class M, class R, unsigned V, Where where>
const Ins* store(Warp& w, const Ins* ins) {
  constexpr unsigned N = sizeof(M) * V;
  const Shape s = find_shape<N>(w, ins);
  Region local{};
  const Region* r = locate<where>(w, ins, s, N, local);
  if (KW_UNLIKELY(r == nullptr || (s.any_bits & (N - 1)) != 0 || r->read_only))
    return access_slowly(w, ins);
  if (KW_UNLIKELY(w.count_memory)) count_access(w, ins);
  R* d[V];
  registers<M, R, V>(w, ins, d);
  if (where != Where::Local && s.contiguous) {
    M* to = reinterpret_cast<M*>(r->host + (s.lo - r->lo));
    if (w.track_initialised) std::memset(r->initialised + (s.lo - r->lo), 1, 32 * N);
    if constexpr (V == 1) {
      const R* from = d[0];
      KW_LANES { to[l] = static_cast<M>(from[l]); }
    } else {
      for (unsigned l = 0; l < kLanes; ++l) {
        for (unsigned v = 0; v < V; ++v) to[l * V + v] = static_cast<M>(d[v][l]);
      }
    }
  } else {
    for (u32 m = w.mask; m != 0; m &= m - 1) {
      const unsigned l = static_cast<unsigned>(__builtin_ctz(m));
      const u64 offset = lane_offset<where>(w, *r, l);
      M* to = reinterpret_cast<M*>(r->host + offset);
      for (unsigned v = 0; v < V; ++v) to[v] = static_cast<M>(d[v][l]);
      if (w.track_initialised) std::memset(r->initialised + offset, 1, N);
    }
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

template <Where where, class M, class R, unsigned V>
void add_vector(Registry& r, const char* space, const char* shape) {
  const std::uint8_t n = width<R>();
  r.add("$ld", space, shape, load<M, R, V, where>, {n, 8, 0, 0});
  r.add("$st", space, shape, store<M, R, V, where>, {n, 8, 0, 0});
}
template <Where where>
void add_space(Registry& r, const char* space) {
  add_vector<where, u8, u16, 1>(r, space, "u8.v1");
  add_vector<where, u8, u16, 2>(r, space, "u8.v2");
  add_vector<where, u8, u16, 4>(r, space, "u8.v4");
  r.add("$ld", space, "s8.v1", load<s8, s16, 1, where>, {2, 8, 0, 0});
  r.add("$ld", space, "s8.v2", load<s8, s16, 2, where>, {2, 8, 0, 0});
  r.add("$ld", space, "s8.v4", load<s8, s16, 4, where>, {2, 8, 0, 0});
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

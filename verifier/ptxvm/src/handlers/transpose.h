#pragma once
// Vectors of 32-bit elements between memory, where a lane's lie side by side, and registers, where
// the lanes of one element do.

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

/// Row r of the result, at to(r), is column r of the rows of eight 16-bit values at from(r); all
/// are read before one is written.
template <class From, class To>
inline void transpose_8_by_8(From from, To to) {
#if defined(__SSE2__)
  __m128i x[8], y[8];
  for (unsigned r = 0; r < 8; ++r) std::memcpy(&x[r], from(r), 16);
  for (unsigned i = 0; i < 4; ++i) {
    y[2 * i] = _mm_unpacklo_epi16(x[i], x[i + 4]);
    y[2 * i + 1] = _mm_unpackhi_epi16(x[i], x[i + 4]);
  }
  for (unsigned i = 0; i < 4; ++i) {
    x[2 * i] = _mm_unpacklo_epi16(y[i], y[i + 4]);
    x[2 * i + 1] = _mm_unpackhi_epi16(y[i], y[i + 4]);
  }
  for (unsigned i = 0; i < 4; ++i) {
    y[2 * i] = _mm_unpacklo_epi16(x[i], x[i + 4]);
    y[2 * i + 1] = _mm_unpackhi_epi16(x[i], x[i + 4]);
  }
  for (unsigned r = 0; r < 8; ++r) std::memcpy(to(r), &y[r], 16);
#else
  u16 m[8][8], t[8];
  for (unsigned r = 0; r < 8; ++r) std::memcpy(m[r], from(r), 16);
  for (unsigned r = 0; r < 8; ++r) {
    for (unsigned c = 0; c < 8; ++c) t[c] = m[c][r];
    std::memcpy(to(r), t, 16);
  }
#endif
}

#if defined(__SSE2__)
template <class M, class R, unsigned V>
inline constexpr bool kTransposed = sizeof(M) == 4 && sizeof(R) == 4;

inline const float* as_floats(const void* p) { return static_cast<const float*>(p); }

/// d[v][l] = element v of the vector at from(l), for four lanes from `first` on.
template <unsigned V, class From>
inline void load_4_lanes(u32* const* d, unsigned first, From from) {
  const auto to = [&](unsigned v) { return reinterpret_cast<float*>(d[v] + first); };
  if constexpr (V == 4) {
    __m128 row0 = _mm_loadu_ps(as_floats(from(first)));
    __m128 row1 = _mm_loadu_ps(as_floats(from(first + 1)));
    __m128 row2 = _mm_loadu_ps(as_floats(from(first + 2)));
    __m128 row3 = _mm_loadu_ps(as_floats(from(first + 3)));
    _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
    _mm_storeu_ps(to(0), row0);
    _mm_storeu_ps(to(1), row1);
    _mm_storeu_ps(to(2), row2);
    _mm_storeu_ps(to(3), row3);
  } else if constexpr (V == 2) {
    const auto pair = [&](unsigned l) {
      const __m128d low =
          _mm_load_sd(static_cast<const double*>(static_cast<const void*>(from(l))));
      return _mm_castpd_ps(
          _mm_loadh_pd(low, static_cast<const double*>(static_cast<const void*>(from(l + 1)))));
    };
    const __m128 a = pair(first), b = pair(first + 2);
    _mm_storeu_ps(to(0), _mm_shuffle_ps(a, b, 0x88));
    _mm_storeu_ps(to(1), _mm_shuffle_ps(a, b, 0xdd));
  } else {
    const auto one = [&](unsigned l) { return _mm_load_ss(as_floats(from(l))); };
    _mm_storeu_ps(to(0), _mm_movelh_ps(_mm_unpacklo_ps(one(first), one(first + 1)),
                                       _mm_unpacklo_ps(one(first + 2), one(first + 3))));
  }
}

/// The other way, for vectors of 2 and 4.
template <unsigned V, class To>
inline void store_4_lanes(u32* const* d, unsigned first, To to) {
  const auto from = [&](unsigned v) { return _mm_loadu_ps(as_floats(d[v] + first)); };
  if constexpr (V == 4) {
    __m128 row0 = from(0), row1 = from(1), row2 = from(2), row3 = from(3);
    _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
    const auto put = [&](unsigned l, __m128 row) {
      _mm_storeu_ps(static_cast<float*>(static_cast<void*>(to(first + l))), row);
    };
    put(0, row0);
    put(1, row1);
    put(2, row2);
    put(3, row3);
  } else {
    const __m128 low = _mm_unpacklo_ps(from(0), from(1)), high = _mm_unpackhi_ps(from(0), from(1));
    const auto at = [&](unsigned l) {
      return static_cast<double*>(static_cast<void*>(to(first + l)));
    };
    _mm_store_sd(at(0), _mm_castps_pd(low));
    _mm_storeh_pd(at(1), _mm_castps_pd(low));
    _mm_store_sd(at(2), _mm_castps_pd(high));
    _mm_storeh_pd(at(3), _mm_castps_pd(high));
  }
}
#else
template <class M, class R, unsigned V>
inline constexpr bool kTransposed = false;
#endif

}  // namespace kw::ptxvm::KW_ISA

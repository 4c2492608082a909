#pragma once
// Where 32 active lanes access one region: offsets of 32 bits from its beginning, and their
// pattern.

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

typedef u32 Lanes8 __attribute__((vector_size(32), may_alias));
inline constexpr unsigned kGroups = kLanes / 8;

struct Offsets {
  alignas(64) u32 at[kLanes];

  Lanes8& group(unsigned g) { return *reinterpret_cast<Lanes8*>(at + 8 * g); }
  const Lanes8& group(unsigned g) const { return *reinterpret_cast<const Lanes8*>(at + 8 * g); }
};

inline bool any_bit(const Lanes8& x) {
#if defined(__AVX2__)
  return _mm256_testz_si256((__m256i)x, (__m256i)x) == 0;
#else
  u64 parts[4];
  std::memcpy(parts, &x, sizeof x);
  return (parts[0] | parts[1] | parts[2] | parts[3]) != 0;
#endif
}

/// out = base + shift; false if one needs more than 32 bits.
inline bool find_offsets(const u32* base, u32 shift, Offsets& out) {
  KW_LANES { out.at[l] = base[l] + shift; }
  return true;
}
inline bool find_offsets(const u64* base, u64 shift, Offsets& out) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i by = _mm256_set1_epi64x(static_cast<long long>(shift));
  __m256i any = _mm256_setzero_si256();
  for (unsigned g = 0; g < kGroups; ++g) {
    const auto* from = reinterpret_cast<const __m256i*>(base + 8 * g);
    const __m256i low = _mm256_add_epi64(_mm256_load_si256(from), by);
    const __m256i high = _mm256_add_epi64(_mm256_load_si256(from + 1), by);
    any = _mm256_or_si256(any, _mm256_or_si256(low, high));
    const __m256 packed =
        _mm256_shuffle_ps(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high), 0x88);
    out.group(g) = (Lanes8)_mm256_permute4x64_epi64(_mm256_castps_si256(packed), 0xd8);
  }
  return _mm256_testz_si256(any, _mm256_set1_epi64x(static_cast<long long>(~u64{0xffffffffu}))) !=
         0;
#else
  u64 any = 0;
  KW_LANES {
    const u64 x = base[l] + shift;
    out.at[l] = static_cast<u32>(x);
    any |= x;
  }
  return any >> 32 == 0;
#endif
}

/// Whether lane l is at at[0] + N l.
template <unsigned N>
inline bool are_contiguous(const Offsets& o) {
  Lanes8 wrong{};
  for (unsigned g = 0; g < kGroups; ++g) {
    const Lanes8 steps{0, N, 2 * N, 3 * N, 4 * N, 5 * N, 6 * N, 7 * N};
    wrong |= o.group(g) ^ (steps + (o.at[0] + 8 * g * N));
  }
  return !any_bit(wrong);
}

/// Whether N bytes at every offset are aligned and inside `size` bytes, at least N.
template <unsigned N>
inline bool fit(const Offsets& o, u64 size) {
  const u64 last = size - N;
  const Lanes8 limit = Lanes8{} + (last > 0xffffffffu ? 0xffffffffu : static_cast<u32>(last));
  Lanes8 most = limit, any{};
  for (unsigned g = 0; g < kGroups; ++g) {
    most = o.group(g) > most ? o.group(g) : most;
    any |= o.group(g);
  }
  return !any_bit((most ^ limit) | (any & (N - 1)));
}

/// Whether each group of eight lanes is at one place.
inline bool are_uniform_by_groups(const Offsets& o) {
  Lanes8 wrong{};
  for (unsigned g = 0; g < kGroups; ++g) wrong |= o.group(g) ^ o.at[8 * g];
  return !any_bit(wrong);
}

/// Whether lanes 16 to 31 are where lanes 0 to 15 are.
inline bool do_repeat(const Offsets& o) {
  return !any_bit((o.group(0) ^ o.group(2)) | (o.group(1) ^ o.group(3)));
}

}  // namespace kw::ptxvm::KW_ISA

#pragma once
// Marks of initialised bytes: 1 for each byte that was written.

#include "handlers/lanes.h"

namespace kw::ptxvm::KW_ISA {

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

}  // namespace kw::ptxvm::KW_ISA

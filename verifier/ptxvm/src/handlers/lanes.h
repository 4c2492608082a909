#pragma once
// What handlers are made of: typed views of registers and loops over the 32 lanes that compilers
// vectorise. A file that includes this is built with KW_ISA naming its instruction set; everything
// lives in that namespace, so that no function is shared between sets.

#include <cstdint>
#include <cstring>

#include "exec/code.h"
#include "exec/warp.h"
#include "handlers/next.h"
#include "handlers/registry.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef KW_ISA
#define KW_ISA baseline
#endif

#define KW_LIKELY(x) __builtin_expect(!!(x), 1)
#define KW_UNLIKELY(x) __builtin_expect(!!(x), 0)
// Registers of one instruction either coincide exactly or do not overlap (ir/slots.h).
#ifdef __clang__
#define KW_INDEPENDENT
#else
#define KW_INDEPENDENT _Pragma("GCC ivdep")
#endif
#define KW_LANES KW_INDEPENDENT for (unsigned l = 0; l < kLanes; ++l)

namespace kw::ptxvm::KW_ISA {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

template <class T>
inline T* reg(Warp& w, u32 operand) {
  return reinterpret_cast<T*>(w.base[operand & 1] + operand);
}
inline u32& mask_reg(Warp& w, u32 operand) { return *reg<u32>(w, operand); }

template <class To, class From>
inline To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

template <class T>
constexpr std::uint8_t width() {
  return static_cast<std::uint8_t>(sizeof(T));
}

/// d[l] = f(l) for the active lanes. f is evaluated for all lanes: it must be total.
template <class D, class F>
inline __attribute__((always_inline)) void for_lanes(Warp& w, D* d, F f) {
  const u32 m = w.mask;
  if (KW_LIKELY(m == kFullMask)) {
    KW_LANES { d[l] = f(l); }
  } else {
    KW_LANES {
      const D value = f(l);
      d[l] = (m >> l & 1) != 0 ? value : d[l];
    }
  }
}

/// Bit l of the result is the sign of t[l].
inline u32 sign_mask(const s32* t) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return static_cast<u32>(_mm512_movepi32_mask(_mm512_loadu_si512(t))) |
         static_cast<u32>(_mm512_movepi32_mask(_mm512_loadu_si512(t + 16))) << 16;
#elif defined(__AVX__)
  u32 r = 0;
  for (unsigned k = 0; k < 4; ++k) {
    r |= static_cast<u32>(
             _mm256_movemask_ps(_mm256_loadu_ps(reinterpret_cast<const float*>(t) + 8 * k)))
         << (8 * k);
  }
  return r;
#elif defined(__SSE2__)
  u32 r = 0;
  for (unsigned k = 0; k < 8; ++k) {
    r |= static_cast<u32>(_mm_movemask_ps(_mm_loadu_ps(reinterpret_cast<const float*>(t) + 4 * k)))
         << (4 * k);
  }
  return r;
#else
  u32 r = 0;
  for (unsigned l = 0; l < kLanes; ++l) r |= static_cast<u32>(t[l] < 0) << l;
  return r;
#endif
}

/// Sets the active bits of a mask register to f(l).
template <class F>
inline __attribute__((always_inline)) void set_mask(Warp& w, u32& d, F f) {
  alignas(64) s32 t[kLanes];
  KW_LANES { t[l] = f(l) ? -1 : 0; }
  const u32 r = sign_mask(t);
  d = (d & ~w.mask) | (r & w.mask);
}

// Handlers of 1, 2 and 3 sources from a function object Op::f on one lane's values.
template <class D, class A, class Op>
const Ins* unary(Warp& w, const Ins* ins) {
  const A* a = reg<const A>(w, ins->a);
  for_lanes(w, reg<D>(w, ins->d), [=](unsigned l) { return static_cast<D>(Op::f(a[l])); });
  KW_NEXT;
}
template <class D, class A, class B, class Op>
const Ins* binary(Warp& w, const Ins* ins) {
  const A* a = reg<const A>(w, ins->a);
  const B* b = reg<const B>(w, ins->b);
  for_lanes(w, reg<D>(w, ins->d), [=](unsigned l) { return static_cast<D>(Op::f(a[l], b[l])); });
  KW_NEXT;
}
template <class D, class A, class B, class C, class Op>
const Ins* ternary(Warp& w, const Ins* ins) {
  const A* a = reg<const A>(w, ins->a);
  const B* b = reg<const B>(w, ins->b);
  const C* c = reg<const C>(w, ins->c);
  for_lanes(w, reg<D>(w, ins->d),
            [=](unsigned l) { return static_cast<D>(Op::f(a[l], b[l], c[l])); });
  KW_NEXT;
}

template <class D, class A, class Op>
void add_unary(Registry& r, const char* base, const char* mid, const char* type) {
  r.add(base, mid, type, unary<D, A, Op>, {width<D>(), width<A>(), 0, 0});
}
template <class D, class A, class B, class Op>
void add_binary(Registry& r, const char* base, const char* mid, const char* type) {
  r.add(base, mid, type, binary<D, A, B, Op>, {width<D>(), width<A>(), width<B>(), 0});
}
template <class D, class A, class B, class C, class Op>
void add_ternary(Registry& r, const char* base, const char* mid, const char* type) {
  r.add(base, mid, type, ternary<D, A, B, C, Op>, {width<D>(), width<A>(), width<B>(), width<C>()});
}

}  // namespace kw::ptxvm::KW_ISA

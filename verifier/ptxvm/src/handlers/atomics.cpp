// atom and red. Lanes act in lane order. On global memory the update is a host atomic, since blocks
// run on several threads; shared and local memory belong to one thread.

#include "exec/access.h"
#include "exec/context.h"
#include "handlers/narrow.h"

namespace kw::ptxvm::baseline {
namespace {

constexpr u32 kShared = 1, kGlobal = 0;

template <class T>
T compare_and_swap(T* at, T expected, T desired) {
  __atomic_compare_exchange_n(at, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}

// Op::f(old, b, c) is the new value. a: address, b, c: operands; z: 1 if there is a result in d.
template <class T, class Op>
const Ins* atomic(Warp& w, const Ins* ins) {
  const AccessBits access{ins->y};
  const bool narrow = access.address32();
  for (unsigned l = 0; l < kLanes; ++l) {
    w.address[l] = narrow
                       ? static_cast<u64>(static_cast<u32>(reg<const u32>(w, ins->a)[l] + ins->imm))
                       : reg<const u64>(w, ins->a)[l] + ins->imm;
  }
  if (w.count_memory) count_access(w, ins);
  w.block->maybe_pause(w);
  const T* b = reg<const T>(w, ins->b);
  const T* c = reg<const T>(w, ins->c);
  T* d = reg<T>(w, ins->d);
  for (u32 m = w.mask; m != 0;) {
    const auto l =
        static_cast<unsigned>(w.reverse_lanes ? 31 - __builtin_clz(m) : __builtin_ctz(m));
    m &= ~(1u << l);
    std::byte* host =
        quick_bytes(w, ins, w.address[l], sizeof(T), access.space(), true, true, w.watched);
    if (host == nullptr) {
      host =
          checked_bytes(w, ins, l, w.address[l], sizeof(T), access.space(), AccessKind::ReadWrite);
    }
    T old = 0;
    if (host != nullptr) {
      T* at = reinterpret_cast<T*>(host);
      if (access.space() == kShared) {
        old = *at;
        *at = Op::f(old, b[l], c[l], true);
      } else {
        __atomic_load(at, &old, __ATOMIC_RELAXED);
        for (;;) {
          const T seen = compare_and_swap(at, old, Op::f(old, b[l], c[l], false));
          if (seen == old) break;
          old = seen;
        }
      }
    }
    if (ins->z != 0) d[l] = old;
  }
  return ins + 1;
}

struct Exchange {
  template <class T>
  static T f(T, T b, T, bool) {
    return b;
  }
};
struct Cas {
  template <class T>
  static T f(T old, T b, T c, bool) {
    return old == b ? c : old;
  }
};
struct And {
  template <class T>
  static T f(T old, T b, T, bool) {
    return old & b;
  }
};
struct Or {
  template <class T>
  static T f(T old, T b, T, bool) {
    return old | b;
  }
};
struct Xor {
  template <class T>
  static T f(T old, T b, T, bool) {
    return old ^ b;
  }
};
struct Add {
  template <class T>
  static T f(T old, T b, T, bool) {
    return static_cast<T>(old + b);
  }
};
struct Inc {
  static u32 f(u32 old, u32 b, u32, bool) { return old >= b ? 0 : old + 1; }
};
struct Dec {
  static u32 f(u32 old, u32 b, u32, bool) { return old == 0 || old > b ? b : old - 1; }
};
template <class S>
struct Min {
  template <class T>
  static T f(T old, T b, T, bool) {
    return static_cast<S>(b) < static_cast<S>(old) ? b : old;
  }
};
template <class S>
struct Max {
  template <class T>
  static T f(T old, T b, T, bool) {
    return static_cast<S>(b) > static_cast<S>(old) ? b : old;
  }
};
// f32 in global memory flushes subnormals, in shared memory it does not (PTX ISA, "atom").
struct AddF32 {
  static u32 f(u32 old, u32 b, u32, bool shared) {
    const float x = bit_cast<float>(old), y = bit_cast<float>(b);
    return bit_cast<u32>(canonical(shared ? x + y : flush(flush(x) + flush(y))));
  }
};
struct AddF64 {  // in global memory a NaN that goes in comes out as it is
  static u64 f(u64 old, u64 b, u64, bool shared) {
    constexpr u64 kInfinity = u64{0x7ff} << 52, kMagnitude = ~(u64{1} << 63);
    if (!shared && (old & kMagnitude) > kInfinity) return old;
    if (!shared && (b & kMagnitude) > kInfinity) return b;
    return bit_cast<u64>(bit_cast<double>(old) + bit_cast<double>(b));
  }
};
struct AddF16 {
  static u16 f(u16 old, u16 b, u16, bool) {
    return float_to_half(half_to_float(old) + half_to_float(b));
  }
};
struct AddBf16 {
  static u16 f(u16 old, u16 b, u16, bool) {
    return float_to_bf16(round_to_odd(static_cast<double>(bf16_to_float(old)) +
                                      static_cast<double>(bf16_to_float(b))));
  }
};
template <class Op>
struct Pair {
  static u32 f(u32 old, u32 b, u32, bool s) {
    return Op::f(static_cast<u16>(old), static_cast<u16>(b), 0, s) |
           static_cast<u32>(Op::f(static_cast<u16>(old >> 16), static_cast<u16>(b >> 16), 0, s))
               << 16;
  }
};
template <u16 (*Encode)(float), float (*Decode)(u16), bool Greatest>
struct MinMax16 {
  static u16 f(u16 old, u16 b, u16, bool) {
    const float x = Decode(old), y = Decode(b);
    return Encode(Greatest ? float_max(x, y) : float_min(x, y));
  }
};

template <class T, class Op>
void add(Registry& r, const char* op, const char* type) {
  r.add("$atom", op, type, atomic<T, Op>, {width<T>(), 8, width<T>(), width<T>()});
}
template <class T>
void add_bits(Registry& r, const char* type) {
  add<T, Exchange>(r, "exch", type);
  add<T, Cas>(r, "cas", type);
  add<T, And>(r, "and", type);
  add<T, Or>(r, "or", type);
  add<T, Xor>(r, "xor", type);
}
template <class T, class S>
void add_integer(Registry& r, const char* type) {
  add<T, Add>(r, "add", type);
  add<T, Min<S>>(r, "min", type);
  add<T, Max<S>>(r, "max", type);
}

}  // namespace

void register_atomics(Registry& r) {
  static_assert(kGlobal == 0 && kShared == 1);
  add_bits<u32>(r, "b32");
  add_bits<u64>(r, "b64");
  add<u16, Cas>(r, "cas", "b16");
  add_integer<u32, u32>(r, "u32");
  add_integer<u32, s32>(r, "s32");
  add_integer<u64, u64>(r, "u64");
  add_integer<u64, s64>(r, "s64");
  add<u32, Inc>(r, "inc", "u32");
  add<u32, Dec>(r, "dec", "u32");
  add<u32, AddF32>(r, "add", "f32");
  add<u64, AddF64>(r, "add", "f64");
  add<u16, AddF16>(r, "add", "f16");
  add<u32, Pair<AddF16>>(r, "add", "f16x2");
  add<u16, AddBf16>(r, "add", "bf16");
  add<u32, Pair<AddBf16>>(r, "add", "bf16x2");
  add<u16, MinMax16<float_to_half, half_to_float, false>>(r, "min", "f16");
  add<u16, MinMax16<float_to_half, half_to_float, true>>(r, "max", "f16");
  add<u32, Pair<MinMax16<float_to_half, half_to_float, false>>>(r, "min", "f16x2");
  add<u32, Pair<MinMax16<float_to_half, half_to_float, true>>>(r, "max", "f16x2");
  add<u16, MinMax16<float_to_bf16, bf16_to_float, false>>(r, "min", "bf16");
  add<u16, MinMax16<float_to_bf16, bf16_to_float, true>>(r, "max", "bf16");
  add<u32, Pair<MinMax16<float_to_bf16, bf16_to_float, false>>>(r, "min", "bf16x2");
  add<u32, Pair<MinMax16<float_to_bf16, bf16_to_float, true>>>(r, "max", "bf16x2");
}

}  // namespace kw::ptxvm::baseline

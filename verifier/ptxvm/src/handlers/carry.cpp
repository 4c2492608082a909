// Extended-precision integers: add.cc, addc, sub.cc, subc, mad.cc, madc. The carry flag is the
// lane mask Warp::carry.

#include <initializer_list>

#include "handlers/lanes.h"

namespace kw::ptxvm::baseline {
namespace {

__extension__ typedef unsigned __int128 u128;
template <class T>
struct Twice;
template <>
struct Twice<u32> {
  using type = u64;
};
template <>
struct Twice<u64> {
  using type = u128;
};

// The result before truncation; bit `bits` of it is the carry.
template <class T, bool In, bool Out>
const Ins* add(Warp& w, const Ins* ins) {
  const T* a = reg<const T>(w, ins->a);
  const T* b = reg<const T>(w, ins->b);
  T* d = reg<T>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    using W = typename Twice<T>::type;
    const W sum = static_cast<W>(static_cast<W>(a[l]) + b[l] + (In ? w.carry >> l & 1 : 0u));
    d[l] = static_cast<T>(sum);
    if (Out) w.carry = (w.carry & ~(1u << l)) | static_cast<u32>(sum >> (8 * sizeof(T)) & 1) << l;
  }
  return ins + 1;
}
// a + ~b + 1: the flag is the carry, set where nothing is borrowed. Compilers add it back (addc of
// zeros after subc.cc), so that it shows.
template <class T, bool In, bool Out>
const Ins* sub(Warp& w, const Ins* ins) {
  const T* a = reg<const T>(w, ins->a);
  const T* b = reg<const T>(w, ins->b);
  T* d = reg<T>(w, ins->d);
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    using W = typename Twice<T>::type;
    const T inverted = static_cast<T>(~b[l]);
    const W sum = static_cast<W>(static_cast<W>(a[l]) + inverted + (In ? w.carry >> l & 1 : 1u));
    d[l] = static_cast<T>(sum);
    if (Out) w.carry = (w.carry & ~(1u << l)) | static_cast<u32>(sum >> (8 * sizeof(T)) & 1) << l;
  }
  return ins + 1;
}
template <class T, class S, bool High, bool In, bool Out>
const Ins* mad(Warp& w, const Ins* ins) {
  const S* a = reg<const S>(w, ins->a);
  const S* b = reg<const S>(w, ins->b);
  const T* c = reg<const T>(w, ins->c);
  T* d = reg<T>(w, ins->d);
  __extension__ typedef __int128 s128;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((w.mask >> l & 1) == 0) continue;
    using W = typename Twice<T>::type;
    const u128 product = static_cast<u128>(static_cast<s128>(a[l]) * static_cast<s128>(b[l]));
    const T part = static_cast<T>(High ? product >> (8 * sizeof(T)) : product);
    const W sum = static_cast<W>(static_cast<W>(part) + c[l] + (In ? w.carry >> l & 1 : 0u));
    d[l] = static_cast<T>(sum);
    if (Out) w.carry = (w.carry & ~(1u << l)) | static_cast<u32>(sum >> (8 * sizeof(T)) & 1) << l;
  }
  return ins + 1;
}

template <class T>
void add_type(Registry& r, const char* type) {
  const Signature s{width<T>(), width<T>(), width<T>(), 0};
  r.add("add", "cc", type, add<T, false, true>, s);
  r.add("addc", "", type, add<T, true, false>, s);
  r.add("addc", "cc", type, add<T, true, true>, s);
  r.add("sub", "cc", type, sub<T, false, true>, s);
  r.add("subc", "", type, sub<T, true, false>, s);
  r.add("subc", "cc", type, sub<T, true, true>, s);
}
template <class T, class S>
void add_mad(Registry& r, const char* type) {
  const Signature s{width<T>(), width<T>(), width<T>(), width<T>()};
  r.add("mad", "cc", type, mad<T, S, false, false, true>, s);
  r.add("mad.hi", "cc", type, mad<T, S, true, false, true>, s);
  r.add("madc", "", type, mad<T, S, false, true, false>, s);
  r.add("madc", "cc", type, mad<T, S, false, true, true>, s);
  r.add("madc.hi", "", type, mad<T, S, true, true, false>, s);
  r.add("madc.hi", "cc", type, mad<T, S, true, true, true>, s);
}

}  // namespace

void register_carry(Registry& r) {
  for (const char* type : {"u32", "s32", "b32"}) add_type<u32>(r, type);
  for (const char* type : {"u64", "s64", "b64"}) add_type<u64>(r, type);
  add_mad<u32, u32>(r, "u32");
  add_mad<u32, s32>(r, "s32");
  add_mad<u64, u64>(r, "u64");
  add_mad<u64, s64>(r, "s64");
}

}  // namespace kw::ptxvm::baseline

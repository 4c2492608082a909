// The conversions that kernels rarely need: saturating between integers, to small integers, from
// f64, f16 and bf16 to integers. Built once, not per instruction set.

#include "handlers/convert.h"

namespace kw::ptxvm::baseline {
namespace {

template <class A, class D>
void add_sat(Registry& r) {
  add<D, A>(r, "sat", unary<typename D::Store, typename A::Store, IntToIntSat<D, A>>);
}
template <class A>
void add_saturating(Registry& r) {
  add_sat<A, TU8>(r);
  add_sat<A, TS8>(r);
  add_sat<A, TU16>(r);
  add_sat<A, TS16>(r);
  add_sat<A, TU32>(r);
  add_sat<A, TS32>(r);
  add_sat<A, TU64>(r);
  add_sat<A, TS64>(r);
}
template <class A>
void add_to_small(Registry& r) {
  add_float_to_int_modes<TU8, A>(r);
  add_float_to_int_modes<TS8, A>(r);
  add_float_to_int_modes<TU16, A>(r);
  add_float_to_int_modes<TS16, A>(r);
}
template <class A>
void add_to_all(Registry& r) {
  add_to_small<A>(r);
  add_float_to_int_modes<TU32, A>(r);
  add_float_to_int_modes<TS32, A>(r);
  add_float_to_int_modes<TU64, A>(r);
  add_float_to_int_modes<TS64, A>(r);
}

}  // namespace

void register_convert_other(Registry& r) {
  add_saturating<TU8>(r);
  add_saturating<TS8>(r);
  add_saturating<TU16>(r);
  add_saturating<TS16>(r);
  add_saturating<TU32>(r);
  add_saturating<TS32>(r);
  add_saturating<TU64>(r);
  add_saturating<TS64>(r);
  add_to_small<TF32>(r);
  add_to_all<TF64>(r);
  add_to_all<TF16>(r);
  add_to_all<TBF16>(r);
}

}  // namespace kw::ptxvm::baseline

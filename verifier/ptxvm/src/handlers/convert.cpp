// cvt between integers, between f32, f64 and 32- or 64-bit integers, and to integral values. The
// rest is in convert_other.cpp; directed rounding in rounding.cpp, packed and narrow formats in
// half.cpp.

#include "handlers/convert.h"

namespace kw::ptxvm::KW_ISA {
namespace {

template <class A>
void add_from_int(Registry& r) {
  using S = typename A::Store;
  add<TU8, A>(r, "", unary<u16, S, IntToInt<TU8, A>>);
  add<TS8, A>(r, "", unary<s16, S, IntToInt<TS8, A>>);
  add<TU16, A>(r, "", unary<u16, S, IntToInt<TU16, A>>);
  add<TS16, A>(r, "", unary<s16, S, IntToInt<TS16, A>>);
  add<TU32, A>(r, "", unary<u32, S, IntToInt<TU32, A>>);
  add<TS32, A>(r, "", unary<s32, S, IntToInt<TS32, A>>);
  add<TU64, A>(r, "", unary<u64, S, IntToInt<TU64, A>>);
  add<TS64, A>(r, "", unary<s64, S, IntToInt<TS64, A>>);
}
template <class A>
void add_int_to_float(Registry& r) {
  using AS = typename A::Store;
  add<TF32, A>(r, "rn", unary<float, AS, IntToFloat<TF32, A>>);
  add<TF64, A>(r, "rn", unary<double, AS, IntToFloat<TF64, A>>);
}

// f32 and f64 to an integral value of the same type, and between the two.
template <Round round, bool Ftz, bool Sat>
struct Integral32 {
  static float f(float a) { return out32<Ftz, Sat>(to_integral<round>(in32<Ftz>(a))); }
};
template <Round round>
struct Integral64 {
  // The sum makes a signalling NaN quiet, which the functions of plain x86-64 do not.
  static double f(double a) { return a != a ? a + a : to_integral<round>(a); }
};
struct Copy {  // keeps a NaN's bits
  static u32 f(u32 a) { return a; }
};
template <bool Ftz, bool Sat>
struct Same32 {
  static float f(float a) { return out32<Ftz, Sat>(in32<Ftz>(a)); }
};
struct Sat64 {
  static double f(double a) { return a > 0 ? (a < 1 ? a : 1.0) : 0.0; }
};
template <bool Ftz, bool Sat>
struct Narrow {
  static float f(double a) {  // a NaN keeps its sign and the top of its payload
    const float x = static_cast<float>(a), y = Ftz ? flush(x) : x;
    return Sat ? saturate(y) : y;
  }
};
template <bool Ftz>
struct Widen {
  static double f(float a) { return static_cast<double>(Ftz ? canonical(in32<Ftz>(a)) : a); }
};

template <Round round>
void add_integral(Registry& r, const char* mode, const char* ftz, const char* sat,
                  const char* ftz_sat) {
  add_unary<float, float, Integral32<round, false, false>>(r, "cvt", mode, "f32.f32");
  add_unary<float, float, Integral32<round, true, false>>(r, "cvt", ftz, "f32.f32");
  add_unary<float, float, Integral32<round, false, true>>(r, "cvt", sat, "f32.f32");
  add_unary<float, float, Integral32<round, true, true>>(r, "cvt", ftz_sat, "f32.f32");
  add_unary<double, double, Integral64<round>>(r, "cvt", mode, "f64.f64");
}

}  // namespace

void register_convert(Registry& r) {
  add_from_int<TU8>(r);
  add_from_int<TS8>(r);
  add_from_int<TU16>(r);
  add_from_int<TS16>(r);
  add_from_int<TU32>(r);
  add_from_int<TS32>(r);
  add_from_int<TU64>(r);
  add_from_int<TS64>(r);
  add_float_to_int_modes<TU32, TF32>(r);
  add_float_to_int_modes<TS32, TF32>(r);
  add_float_to_int_modes<TU64, TF32>(r);
  add_float_to_int_modes<TS64, TF32>(r);
  add_int_to_float<TU8>(r);
  add_int_to_float<TS8>(r);
  add_int_to_float<TU16>(r);
  add_int_to_float<TS16>(r);
  add_int_to_float<TU32>(r);
  add_int_to_float<TS32>(r);
  add_int_to_float<TU64>(r);
  add_int_to_float<TS64>(r);
  add_integral<Round::Nearest>(r, "rni", "rni.ftz", "rni.sat", "rni.ftz.sat");
  add_integral<Round::Zero>(r, "rzi", "rzi.ftz", "rzi.sat", "rzi.ftz.sat");
  add_integral<Round::Down>(r, "rmi", "rmi.ftz", "rmi.sat", "rmi.ftz.sat");
  add_integral<Round::Up>(r, "rpi", "rpi.ftz", "rpi.sat", "rpi.ftz.sat");
  add_unary<u32, u32, Copy>(r, "cvt", "", "f32.f32");
  add_unary<float, float, Same32<true, false>>(r, "cvt", "ftz", "f32.f32");
  add_unary<float, float, Same32<false, true>>(r, "cvt", "sat", "f32.f32");
  add_unary<float, float, Same32<true, true>>(r, "cvt", "ftz.sat", "f32.f32");
  add_unary<double, double, Sat64>(r, "cvt", "sat", "f64.f64");
  add_unary<float, double, Narrow<false, false>>(r, "cvt", "rn", "f32.f64");
  add_unary<float, double, Narrow<true, false>>(r, "cvt", "rn.ftz", "f32.f64");
  add_unary<float, double, Narrow<false, true>>(r, "cvt", "rn.sat", "f32.f64");
  add_unary<float, double, Narrow<true, true>>(r, "cvt", "rn.ftz.sat", "f32.f64");
  add_unary<double, float, Widen<false>>(r, "cvt", "", "f64.f32");
  add_unary<double, float, Widen<true>>(r, "cvt", "ftz", "f64.f32");
}

}  // namespace kw::ptxvm::KW_ISA

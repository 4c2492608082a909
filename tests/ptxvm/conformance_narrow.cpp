// Packed 16-bit integers, the rarer conversions, comparisons with boolean operations.

#include <array>

#include "ptxvm/conformance_builder.h"

namespace kw::ptxvm::conformance {
namespace {

struct Form {
  const char *name, *d, *a;
  int sources = 1;
};

constexpr std::array kForms{
    Form{"add.u16x2", "b32", "u32", 2},
    Form{"add.s16x2", "b32", "u32", 2},
    Form{"min.u16x2", "b32", "u32", 2},
    Form{"max.u16x2", "b32", "u32", 2},
    Form{"min.s16x2", "b32", "u32", 2},
    Form{"max.s16x2", "b32", "u32", 2},
    Form{"min.relu.s16x2", "b32", "u32", 2},
    Form{"max.relu.s16x2", "b32", "u32", 2},
    Form{"min.relu.s32", "b32", "s32", 2},
    Form{"max.relu.s32", "b32", "s32", 2},
    Form{"mad24.hi.sat.s32", "s32", "s32", 3},
    Form{"cvt.pack.sat.u16.s32", "b32", "s32", 2},
    Form{"cvt.pack.sat.s16.s32", "b32", "s32", 2},
    Form{"cvt.pack.sat.u8.s32.b32", "b32", "s32", 3},
    Form{"cvt.pack.sat.s8.s32.b32", "b32", "s32", 3},
    Form{"fma.rn.ftz.relu.f16", "f16", "f16", 3},
    Form{"fma.rn.ftz.relu.f16x2", "b32", "f16x2", 3},
    Form{"cvt.rn.satfinite.f16.f32", "f16", "f32"},
    Form{"cvt.rz.satfinite.f16.f32", "f16", "f32"},
    Form{"cvt.rn.satfinite.bf16.f32", "bf16", "f32"},
    Form{"cvt.rz.satfinite.bf16.f32", "bf16", "f32"},
    Form{"cvt.rn.relu.satfinite.f16.f32", "f16", "f32"},
    Form{"cvt.rn.relu.satfinite.bf16.f32", "bf16", "f32"},
    Form{"cvt.rn.satfinite.f16x2.f32", "b32", "f32", 2},
    Form{"cvt.rn.satfinite.bf16x2.f32", "b32", "f32", 2},
    Form{"cvt.rz.satfinite.f16x2.f32", "b32", "f32", 2},
    Form{"cvt.rz.satfinite.bf16x2.f32", "b32", "f32", 2},
    Form{"cvt.rn.relu.satfinite.f16x2.f32", "b32", "f32", 2},
    Form{"cvt.rn.relu.satfinite.bf16x2.f32", "b32", "f32", 2},
    Form{"cvt.rn.relu.tf32.f32", "b32", "f32"},
    Form{"cvt.rz.relu.tf32.f32", "b32", "f32"},
    Form{"cvt.rn.bf16.f16", "bf16", "f16"},
    Form{"cvt.rz.bf16.f16", "bf16", "f16"},
    Form{"cvt.rm.bf16.f16", "bf16", "f16"},
    Form{"cvt.rp.bf16.f16", "bf16", "f16"},
    Form{"cvt.rn.f16.bf16", "f16", "bf16"},
    Form{"cvt.rz.f16.bf16", "f16", "bf16"},
    Form{"cvt.rm.f16.bf16", "f16", "bf16"},
    Form{"cvt.rp.f16.bf16", "f16", "bf16"},
    Form{"cvt.rni.sat.f32.f32", "f32", "f32"},
    Form{"cvt.rzi.sat.f32.f32", "f32", "f32"},
    Form{"cvt.rmi.ftz.f32.f32", "f32", "f32"},
    Form{"cvt.sat.f64.f64", "f64", "f64"},
    Form{"cvt.rni.sat.f64.f64", "f64", "f64"},
    Form{"cvt.rpi.sat.f64.f64", "f64", "f64"},
    Form{"cvt.sat.f16.f16", "f16", "f16"},
    Form{"cvt.rni.sat.f16.f16", "f16", "f16"},
    Form{"cvt.rn.sat.f32.s32", "f32", "s32"},
    Form{"cvt.rz.sat.f32.u64", "f32", "u64"},
    Form{"cvt.rn.sat.f64.s64", "f64", "s64"},
    Form{"cvt.rn.sat.f16.s32", "f16", "s32"},
    Form{"cvt.rp.sat.f16.u16", "f16", "u16"},
    Form{"cvt.rn.sat.f16.f64", "f16", "f64"},
    Form{"cvt.rm.sat.f16.f64", "f16", "f64"},
    Form{"cvt.sat.f32.f16", "f32", "f16"},
    Form{"cvt.ftz.f32.f16", "f32", "f16"},
    Form{"cvt.ftz.sat.f32.f16", "f32", "f16"},
    Form{"cvt.sat.f64.f32", "f64", "f32"},
    Form{"cvt.ftz.sat.f64.f32", "f64", "f32"},
    Form{"cvt.sat.f64.f16", "f64", "f16"},
    Form{"cvt.rz.sat.f16.f32", "f16", "f32"},
    Form{"cvt.rm.sat.f16.f32", "f16", "f32"},
    Form{"cvt.rp.sat.f16.f32", "f16", "f32"},
    Form{"cvt.rz.ftz.f16.f32", "f16", "f32"},
    Form{"cvt.rm.ftz.f16.f32", "f16", "f32"},
    Form{"cvt.rp.ftz.f16.f32", "f16", "f32"},
    Form{"cvt.rm.ftz.sat.f16.f32", "f16", "f32"},
    Form{"cvt.rn.ftz.bf16.f32", "bf16", "f32"},
    Form{"cvt.f16.f16", "f16", "f16"},
    Form{"cvt.f32.f32", "f32", "f32"},
    Form{"cvt.f64.f64", "f64", "f64"},
    Form{"cvt.rzi.sat.s32.f32", "s32", "f32"},
    Form{"cvt.rni.ftz.sat.u64.f32", "u64", "f32"},
    Form{"rcp.approx.ftz.f64", "f64", "f64"},
    Form{"rsqrt.approx.f64", "f64", "f64"},
    Form{"rsqrt.approx.ftz.f64", "f64", "f64"},
    Form{"ex2.approx.f16", "f16", "f16"},
    Form{"ex2.approx.f16x2", "b32", "f16x2"},
    Form{"ex2.approx.ftz.bf16", "bf16", "bf16"},
    Form{"ex2.approx.ftz.bf16x2", "b32", "bf16x2"},
    Form{"tanh.approx.f16", "f16", "f16"},
    Form{"tanh.approx.f16x2", "b32", "f16x2"},
    Form{"tanh.approx.bf16", "bf16", "bf16"},
    Form{"tanh.approx.bf16x2", "b32", "bf16x2"},
    Form{"add.f32", "f32", "f32", 2},
    Form{"mul.ftz.f32", "f32", "f32", 2},
    Form{"sub.sat.f32", "f32", "f32", 2},
    Form{"mul.f64", "f64", "f64", 2},
    Form{"add.f16x2", "b32", "f16x2", 2},
    Form{"mul.bf16x2", "b32", "bf16x2", 2},
    Form{"sub.f16", "f16", "f16", 2},
    Form{"mad.rn.f32", "f32", "f32", 3},
    Form{"mad.rz.ftz.sat.f32", "f32", "f32", 3},
    Form{"mad.rn.f64", "f64", "f64", 3},
};

void booleans(Builder& b) {
  for (const std::string table : {"150", "232", "27", "254"}) {
    for (const std::string o : {"or", "and"}) {
      for (const std::string d : {"%r18", "_"}) {
        const std::string keep = d == "_" ? "mov.u32 %r18, 0;\n" : "";
        b.add("lop3." + o + ".b32 " + table + (d == "_" ? " sink" : ""), "u32", 4,
              load("u32", 0) + load("u32", 1) + load("u32", 2) + load("u32", 3) +
                  "setp.lt.s32 %p2, %r13, 20;\n" + keep + "lop3." + o + ".b32 " + d +
                  "|%p1, %r10, %r11, %r12, " + table +
                  ", %p2;\nselp.b32 %r30, 0x55555555, 0, %p1;\nxor.b32 %r18, %r18, %r30;\n" +
                  store("u32", 8));
      }
    }
  }
  for (const std::string o : {"and", "or", "xor"}) {
    for (const std::string negated : {"", "!"}) {
      for (const std::string t : {"s32", "u64", "f32", "f64", "b16"}) {
        const std::string name = "setp." + std::string(t == "b16" ? "ne." : "lt.") + o + "." + t;
        b.add(
            name + (negated.empty() ? "" : " negated"), t, 4,
            load(t, 0) + load(t, 1) +
                "ld.global.s32 %r20, [%rd1+32];\nsetp.gt.s32 %p3, %r20, 0;\n" + name +
                " %p1|%p2, " + reg(t, 0) + ", " + reg(t, 1) + ", " + negated + "%p3;\n" +
                "selp.u32 %r30, 1, 0, %p1;\nselp.u32 %r31, 2, 0, %p2;\nor.b32 %r18, %r30, %r31;\n" +
                store("u32", 8));
      }
      const std::string name = "set.ge." + o + ".f32.s32";
      b.add(name + (negated.empty() ? "" : " negated"), "s32", 4,
            load("s32", 0) + load("s32", 1) +
                "ld.global.s32 %r20, [%rd1+32];\nsetp.gt.s32 %p3, %r20, 0;\n" + name +
                " %f8, %r10, %r11, " + negated + "%p3;\n" + store("f32", 8));
    }
  }
  for (const char* c : {"eq", "lt", "geu", "nan"}) {
    for (const auto& [d, s] : {std::pair{"bf16", "bf16"},
                               {"u32", "bf16"},
                               {"f32", "f64"},
                               {"s32", "f32"},
                               {"f16", "f32"},
                               {"u16", "f16"},
                               {"bf16", "f32"}}) {
      b.op(cat({"set.", c, ".", d, ".", s}), d, {s, s});
    }
    b.op(cat({"set.", c, ".u32.f16x2"}), "u32", {"f16x2", "f16x2"});
    b.op(cat({"set.", c, ".u32.bf16x2"}), "u32", {"bf16x2", "bf16x2"});
    b.op(cat({"set.", c, ".ftz.f16x2.f16x2"}), "b32", {"f16x2", "f16x2"});
    b.op(cat({"set.", c, ".ftz.f16.f16"}), "f16", {"f16", "f16"});
    for (const std::string t : {"bf16", "f16"}) {
      const std::string name = cat({"setp.", c, ".", t});
      b.add(name + " first", t, 4,
            load(t, 0) + load(t, 1) + name + " %p1, " + reg(t, 0) + ", " + reg(t, 1) +
                ";\nselp.u32 %r18, 1, 0, %p1;\n" + store("u32", 8));
    }
  }
  for (const char* t : {"u16", "s16", "u32", "s32", "u64", "s64"}) {
    b.op(cat({"set.lt.u32.", t}), "u32", {t, t});
    b.op(cat({"set.ne.f32.", t}), "f32", {t, t});
  }
  for (const char* t : {"b16", "b32", "b64", "f32", "f64"}) {
    b.add(cat({"selp.", t}), t, bits_of(t) / 8,
          load(t, 0) + load(t, 1) +
              "ld.global.s32 %r20, [%rd1+32];\nsetp.gt.s32 %p3, %r20, 0;\nselp." + t + " " +
              reg(t, 8) + ", " + reg(t, 0) + ", " + reg(t, 1) + ", %p3;\n" + store(t, 8));
  }
  b.add("fns.b32", "b32", 4,
        load("b32", 0) + load("b32", 1) + load("s32", 2) +
            "and.b32 %r11, %r11, 31;\nand.b32 %r12, %r12, 15;\nsub.s32 %r12, %r12, 7;\nfns.b32 "
            "%r18, %r10, %r11, "
            "%r12;\n" +
            store("b32", 8));
}

}  // namespace

std::vector<Case> narrow_cases() {
  Builder b;
  for (const Form& f : kForms) {
    if (f.sources == 1) b.op(f.name, f.d, {f.a});
    if (f.sources == 2) b.op(f.name, f.d, {f.a, f.a});
    if (f.sources == 3) b.op(f.name, f.d, {f.a, f.a, f.a});
  }
  booleans(b);
  return std::move(b.list);
}

}  // namespace kw::ptxvm::conformance

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <string_view>

#include "ptxvm/conformance_builder.h"

namespace kw::ptxvm::conformance {
namespace {

class Cases : public Builder {
 public:
  void integers();
  void bits();
  void carries(const std::string& type);
  void floats();
  void halves();
  void comparisons();
  void conversions();
};

constexpr std::array<std::string_view, 6> kIntegers{"u16", "s16", "u32", "s32", "u64", "s64"};

void Cases::integers() {
  for (const auto t : kIntegers) {
    for (const auto o : {"add", "sub", "min", "max", "div", "rem", "mul.lo", "mul.hi"})
      op(cat({o, ".", t}), t, {t, t});
    for (const auto o : {"mad.lo.", "mad.hi.", "sad."}) op(cat({o, t}), t, {t, t, t});
  }
  for (const auto& [t, w] :
       {std::pair{"u16", "u32"}, {"s16", "s32"}, {"u32", "u64"}, {"s32", "s64"}}) {
    op(cat({"mul.wide.", t}), w, {t, t});
    op(cat({"mad.wide.", t}), w, {t, t, w});
  }
  for (const auto t : {"s16", "s32", "s64"}) {
    op(cat({"neg.", t}), t, {t});
    op(cat({"abs.", t}), t, {t});
  }
  op("add.sat.s32", "s32", {"s32", "s32"});
  op("sub.sat.s32", "s32", {"s32", "s32"});
  op("mad.hi.sat.s32", "s32", {"s32", "s32", "s32"});
  for (const auto t : {"u32", "s32"}) {
    for (const auto o : {"mul24.lo.", "mul24.hi."}) op(cat({o, t}), t, {t, t});
    for (const auto o : {"mad24.lo.", "mad24.hi."}) op(cat({o, t}), t, {t, t, t});
  }
  carries("u32");
  carries("u64");
}

void Cases::carries(const std::string& t) {
  const auto r = [&](int n) { return reg(t, n); };
  const std::string loads = load(t, 0) + load(t, 1) + load(t, 2);
  const std::string fold = "xor.b" + t.substr(1) + " " + r(8) + ", " + r(6) + ", " + r(7) +
                           ";\nadd." + t + " " + r(8) + ", " + r(8) + ", " + r(5) + ";\n" +
                           store(t, 8);
  const auto line = [&](const std::string& o, int d, std::initializer_list<int> sources) {
    std::string out = o + "." + t + " " + r(d);
    for (const int s : sources) out += ", " + r(s);
    return out + ";\n";
  };
  const std::size_t bytes = bits_of(t) / 8;
  add("addcc." + t, t, bytes,
      loads + line("add.cc", 5, {0, 1}) + line("addc.cc", 6, {1, 2}) + line("addc", 7, {2, 0}) +
          fold);
  add("subcc." + t, t, bytes,
      loads + line("sub.cc", 5, {0, 1}) + line("subc.cc", 6, {1, 2}) + line("subc", 7, {2, 0}) +
          fold);
  add("madcc." + t, t, bytes,
      loads + line("mad.lo.cc", 5, {0, 1, 2}) + line("madc.hi.cc", 6, {0, 1, 1}) +
          line("addc", 7, {2, 0}) + fold);
}

void Cases::bits() {
  for (const auto t : {"b16", "b32", "b64"}) {
    for (const auto o : {"and.", "or.", "xor."}) op(cat({o, t}), t, {t, t});
    op(cat({"not.", t}), t, {t});
    op(cat({"cnot.", t}), t, {t});
    op(cat({"shl.", t}), t, {t, "u32"});
  }
  for (const auto t : kIntegers) op(cat({"shr.", t}), t, {t, "u32"});
  for (const auto m : {"l.wrap", "l.clamp", "r.wrap", "r.clamp"})
    op(cat({"shf.", m, ".b32"}), "b32", {"b32", "b32", "u32"});
  for (const std::string t : {"b32", "b64"}) {
    op("popc." + t, "u32", {t});
    op("clz." + t, "u32", {t});
    op("brev." + t, t, {t});
    add("bfi." + t, t, bits_of(t) / 8,
        load(t, 0) + load(t, 1) + load("u32", 2) + load("u32", 3) + "bfi." + t + " " + reg(t, 8) +
            ", " + reg(t, 0) + ", " + reg(t, 1) + ", " + reg("u32", 2) + ", " + reg("u32", 3) +
            ";\n" + store(t, 8));
  }
  for (const auto t : {"u32", "s32", "u64", "s64"}) {
    op(cat({"bfe.", t}), t, {t, "u32", "u32"});
    op(cat({"bfind.", t}), "u32", {t});
    op(cat({"bfind.shiftamt.", t}), "u32", {t});
  }
  for (const auto m : {"", ".f4e", ".b4e", ".rc8", ".ecl", ".ecr", ".rc16"})
    op(cat({"prmt.b32", m}), "b32", {"b32", "b32", "b32"});
  for (const auto table : {"150", "232", "202", "27", "128"})
    op("lop3.b32", "b32", {"b32", "b32", "b32"}, cat({", ", table}));
  for (const auto m : {"clamp", "wrap"}) {
    op(cat({"bmsk.", m, ".b32"}), "b32", {"b32", "b32"});
    for (const auto t : {"u32", "s32"}) op(cat({"szext.", m, ".", t}), t, {t, "u32"});
  }
  for (const std::string_view a : {"u32", "s32"}) {
    for (const std::string_view b : {"u32", "s32"}) {
      const std::string_view c = a == "u32" && b == "u32" ? "u32" : "s32";
      op(cat({"dp4a.", a, ".", b}), c, {a, b, c});
      for (const auto half : {"lo", "hi"}) op(cat({"dp2a.", half, ".", a, ".", b}), c, {a, b, c});
    }
  }
  for (const auto t : {"b16", "b32", "b64", "f32", "f64", "u32", "s64"}) {
    op(cat({"slct.", t, ".s32"}), t, {t, t, "s32"});
    op(cat({"slct.", t, ".f32"}), t, {t, t, "f32"});
  }
}

void Cases::floats() {
  for (const auto round : {"rn", "rz", "rm", "rp"}) {
    for (const auto ftz : {"", ".ftz"}) {
      for (const auto sat : {"", ".sat"}) {
        for (const auto o : {"add", "sub", "mul"})
          op(cat({o, ".", round, ftz, sat, ".f32"}), "f32", {"f32", "f32"});
        op(cat({"fma.", round, ftz, sat, ".f32"}), "f32", {"f32", "f32", "f32"});
      }
      op(cat({"div.", round, ftz, ".f32"}), "f32", {"f32", "f32"});
      for (const auto o : {"rcp.", "sqrt."}) op(cat({o, round, ftz, ".f32"}), "f32", {"f32"});
    }
    for (const auto o : {"add", "sub", "mul", "div"})
      op(cat({o, ".", round, ".f64"}), "f64", {"f64", "f64"});
    op(cat({"fma.", round, ".f64"}), "f64", {"f64", "f64", "f64"});
    for (const auto o : {"rcp.", "sqrt."}) op(cat({o, round, ".f64"}), "f64", {"f64"});
  }
  for (const auto ftz : {"", ".ftz"}) {
    for (const auto o : {"min", "max"}) {
      for (const auto n : {"", ".NaN", ".xorsign.abs", ".NaN.xorsign.abs"})
        op(cat({o, ftz, n, ".f32"}), "f32", {"f32", "f32"});
    }
    for (const auto o : {"abs", "neg"}) op(cat({o, ftz, ".f32"}), "f32", {"f32"});
    for (const auto o : {"div.approx", "div.full"})
      op(cat({o, ftz, ".f32"}), "f32", {"f32", "f32"});
    for (const auto o : {"rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos"})
      op(cat({o, ".approx", ftz, ".f32"}), "f32", {"f32"});
  }
  op("tanh.approx.f32", "f32", {"f32"});
  for (const auto o : {"min.f64", "max.f64"}) op(o, "f64", {"f64", "f64"});
  for (const auto o : {"abs.f64", "neg.f64"}) op(o, "f64", {"f64"});
  for (const auto t : {"f32", "f64"}) op(cat({"copysign.", t}), t, {t, t});
}

void Cases::halves() {
  for (const std::string_view t : {"f16", "f16x2", "bf16", "bf16x2"}) {
    const bool brain = t[0] == 'b';
    for (const std::string_view ftz : {"", ".ftz"}) {
      if (brain && !ftz.empty()) continue;
      for (const std::string_view sat : {"", ".sat"}) {
        if (brain && !sat.empty()) continue;
        for (const auto o : {"add", "sub", "mul"}) op(cat({o, ".rn", ftz, sat, ".", t}), t, {t, t});
        op(cat({"fma.rn", ftz, sat, ".", t}), t, {t, t, t});
      }
      for (const auto o : {"neg", "abs"}) op(cat({o, ftz, ".", t}), t, {t});
      for (const auto o : {"min", "max"}) {
        for (const auto n : {"", ".NaN", ".xorsign.abs", ".NaN.xorsign.abs"})
          op(cat({o, ftz, n, ".", t}), t, {t, t});
      }
    }
    op(cat({"fma.rn.relu.", t}), t, {t, t, t});
  }
}

void Cases::comparisons() {
  const auto compare = [&](std::string_view c, std::string_view t, std::string_view ftz = "") {
    const bool single = t == "f16" || t == "bf16";  // these have no second result
    const std::string name = cat({"setp.", c, ftz, ".", t});
    const std::string second = single ? "mov.u32 %r31, 0;\n" : "selp.u32 %r31, 2, 0, %p2;\n";
    add(name, t, 4,
        load(t, 0) + load(t, 1) + name + (single ? " %p1, " : " %p1|%p2, ") + reg(t, 0) + ", " +
            reg(t, 1) + ";\nselp.u32 %r30, 1, 0, %p1;\n" + second + "or.b32 %r18, %r30, %r31;\n" +
            store("u32", 8));
  };
  for (const std::string_view t : {"u16", "s16", "u32", "s32", "u64", "s64", "b16", "b32", "b64"}) {
    for (const std::string_view c : {"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"}) {
      const bool order = c != "eq" && c != "ne",
                 unsigned_name = c == "lo" || c == "ls" || c == "hi" || c == "hs";
      if ((order && t[0] == 'b') || (unsigned_name && t[0] != 'u')) continue;
      compare(c, t);
    }
  }
  for (const auto c : {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu",
                       "num", "nan"}) {
    compare(c, "f32");
    compare(c, "f32", ".ftz");
    compare(c, "f64");
    compare(c, "f16x2");
    compare(c, "bf16x2");
    op(cat({"set.", c, ".f32.f32"}), "f32", {"f32", "f32"});
    op(cat({"set.", c, ".u32.f64"}), "u32", {"f64", "f64"});
    op(cat({"set.", c, ".u32.f16"}), "u32", {"f16", "f16"});
    for (const auto t : {"f16", "f16x2", "bf16x2"}) op(cat({"set.", c, ".", t, ".", t}), t, {t, t});
  }
  for (const auto o : {"finite", "infinite", "number", "notanumber", "normal", "subnormal"}) {
    for (const auto t : {"f32", "f64"}) {
      const std::string name = cat({"testp.", o, ".", t});
      add(name, t, 4,
          load(t, 0) + name + " %p1, " + reg(t, 0) + ";\nselp.u32 %r18, 1, 0, %p1;\n" +
              store("u32", 8));
    }
  }
}

void Cases::conversions() {
  constexpr std::array<std::string_view, 8> kAll{"u8",  "s8",  "u16", "s16",
                                                 "u32", "s32", "u64", "s64"};
  for (const auto d : kAll) {
    for (const auto s : kAll) {
      if (d == s) continue;
      op(cat({"cvt.", d, ".", s}), d, {s});
      const bool fits = bits_of(d) > bits_of(s) &&
                        (d[0] == 's' || s[0] == 'u');  // .sat is refused where it does nothing
      if (!fits) op(cat({"cvt.sat.", d, ".", s}), d, {s});
    }
    for (const auto m : {"rni", "rzi", "rmi", "rpi"}) {
      for (const std::string_view s : {"f32", "f64", "f16", "bf16"}) {
        if (s == "bf16" && bits_of(d) == 8) continue;
        op(cat({"cvt.", m, ".", d, ".", s}), d, {s});
      }
      op(cat({"cvt.", m, ".ftz.", d, ".f32"}), d, {"f32"});
    }
    for (const auto m : {"rn", "rz", "rm", "rp"}) {
      for (const std::string_view to : {"f32", "f64", "f16", "bf16"}) {
        if (to == "bf16" && bits_of(d) == 8) continue;
        op(cat({"cvt.", m, ".", to, ".", d}), to, {d});
      }
    }
  }
  for (const auto m : {"rn", "rz", "rm", "rp"}) {
    for (const auto x : {"", ".ftz", ".sat", ".ftz.sat"})
      op(cat({"cvt.", m, x, ".f32.f64"}), "f32", {"f64"});
    for (const auto to : {"f16", "bf16"}) {
      op(cat({"cvt.", m, ".", to, ".f32"}), to, {"f32"});
      op(cat({"cvt.", m, ".", to, ".f64"}), to, {"f64"});
    }
  }
  for (const auto m : {"rni", "rzi", "rmi", "rpi"}) {
    for (const auto t : {"f32", "f64", "f16", "bf16"}) op(cat({"cvt.", m, ".", t, ".", t}), t, {t});
    op(cat({"cvt.", m, ".ftz.sat.f32.f32"}), "f32", {"f32"});
  }
  op("cvt.f64.f32", "f64", {"f32"});
  op("cvt.ftz.f64.f32", "f64", {"f32"});
  for (const auto s : {"f16", "bf16"}) {
    op(cat({"cvt.f32.", s}), "f32", {s});
    op(cat({"cvt.f64.", s}), "f64", {s});
  }
  op("cvt.sat.f32.f32", "f32", {"f32"});
  op("cvt.ftz.f32.f32", "f32", {"f32"});
  for (const auto m : {"rn", "rz"}) {
    for (const std::string_view x : {"", ".relu"}) {
      for (const auto t : {"f16x2", "bf16x2"})
        op(cat({"cvt.", m, x, ".", t, ".f32"}), t, {"f32", "f32"});
      if (x.empty()) continue;
      for (const auto t : {"f16", "bf16"}) op(cat({"cvt.", m, x, ".", t, ".f32"}), t, {"f32"});
    }
  }
  for (const auto m : {"rna", "rn", "rz"}) op(cat({"cvt.", m, ".tf32.f32"}), "b32", {"f32"});
  op("cvt.rn.sat.f16.f32", "f16", {"f32"});
  op("cvt.rn.ftz.f16.f32", "f16", {"f32"});
  for (const auto e : {"e4m3x2", "e5m2x2"}) {
    for (const auto x : {"", ".relu"}) {
      op(cat({"cvt.rn.satfinite", x, ".", e, ".f32"}), "b16", {"f32", "f32"});
      op(cat({"cvt.rn.satfinite", x, ".", e, ".f16x2"}), "b16", {"f16x2"});
      op(cat({"cvt.rn", x, ".f16x2.", e}), "f16x2", {"b16"});
    }
  }
}

}  // namespace

std::string module_of(const std::string& body) {
  return ".version 8.7\n.target sm_90\n.address_size 64\n"
         ".visible .entry k(.param .u64 in, .param .u64 out)\n{\n"
         ".reg .pred %p<8>; .reg .b16 %h<32>; .reg .b32 %r<80>; .reg .b64 %rd<48>; .reg .f32 "
         "%f<32>; .reg .f64 %fd<32>; .reg .b128 %q<8>;\n"
         "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\n"
         "cvta.to.global.u64 %rd1, %rd1;\ncvta.to.global.u64 %rd2, %rd2;\n"
         "mov.u32 %r0, %tid.x;\nmov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %ntid.x;\nmad.lo.s32 %r0, "
         "%r1, %r2, %r0;\n"
         "mul.wide.u32 %rd3, %r0, 64;\nadd.s64 %rd1, %rd1, %rd3;\nadd.s64 %rd2, %rd2, %rd3;\n" +
         body + "ret;\n}\n";
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    Cases b;
    b.integers();
    b.bits();
    b.floats();
    b.halves();
    b.comparisons();
    b.conversions();
    for (std::vector<Case> more : {matrix_cases(), narrow_cases(), memory_cases(), warp_cases(),
                                   wmma_cases(), scene_cases()})
      std::move(more.begin(), more.end(), std::back_inserter(b.list));
    return std::move(b.list);
  }();
  return all;
}

}  // namespace kw::ptxvm::conformance

// wmma: matrices from memory through fragments of no stated layout back to memory.

#include "ptxvm/conformance_builder.h"

namespace kw::ptxvm::conformance {
namespace {

struct Kind {
  std::string element, result;  // types; C has the result's
  unsigned m, n, k;
  int a, b, c;              // registers
  unsigned bytes, c_bytes;  // of an element
  std::string types;        // after the shape, in wmma.mma
};

Case case_of(const Kind& s, const std::string& layout_a, const std::string& layout_b,
             bool c_by_rows, bool saturate) {
  const std::string shape =
      "m" + std::to_string(s.m) + "n" + std::to_string(s.n) + "k" + std::to_string(s.k);
  const bool f64 = s.element == "f64";
  const auto fragment = [&](int first, int count, bool single) {
    std::string out = "{";
    for (int i = 0; i < count; ++i)
      out += (i == 0 ? "" : ", ") +
             std::string(f64      ? "%fd"
                         : single ? "%f"
                                  : "%r") +
             std::to_string(first + i);
    return out + "}";
  };
  const bool single = s.result == "f32";
  // Tensor-core operands of tf32 and all 16-bit kinds are b32 registers.
  const std::string a = fragment(f64 ? 0 : 40, s.a, false), b = fragment(f64 ? 2 : 50, s.b, false);
  const std::string c = fragment(f64      ? 4
                                 : single ? 0
                                          : 60,
                                 s.c, single),
                    d = fragment(f64      ? 8
                                 : single ? 10
                                          : 70,
                                 s.c, single);
  const auto stride = [&](const std::string& layout, unsigned rows, unsigned columns) {
    return std::to_string(layout == "row" ? columns : rows);
  };
  const std::string layout_c = c_by_rows ? "row" : "col", layout_d = c_by_rows ? "col" : "row";
  const unsigned share = s.m * s.n * s.c_bytes / 32;  // bytes of D per lane
  std::string body =
      ".shared .align 16 .b8 box[4096];\nand.b32 %r20, %r0, 31;\nmul.wide.u32 %rd20, %r20, "
      "64;\nsub.s64 %rd20, %rd1, %rd20;\nmov.u32 %r29, %tid.x;\n"
      "shr.u32 %r30, %r29, 5;\nmov.u32 %r31, box;\nmad.lo.u32 %r31, %r30, 1024, %r31;\n";
  const std::string element = s.element;
  body += "wmma.load.a.sync.aligned." + layout_a + "." + shape + ".global." + element + " " + a +
          ", [%rd20], " + stride(layout_a, s.m, s.k) + ";\n";
  body += "wmma.load.b.sync.aligned." + layout_b + "." + shape + ".global." + element + " " + b +
          ", [%rd20+512], " + stride(layout_b, s.k, s.n) + ";\n";
  body += "wmma.load.c.sync.aligned." + layout_c + "." + shape + ".global." + s.result + " " + c +
          ", [%rd20+1024], " + stride(layout_c, s.m, s.n) + ";\n";
  const std::string mma = "wmma.mma.sync.aligned." + layout_a + "." + layout_b + "." + shape + "." +
                          s.types + (saturate ? ".satfinite" : "");
  body += mma + " " + d + ", " + a + ", " + b + ", " + c + ";\n";
  body += "wmma.store.d.sync.aligned." + layout_d + "." + shape + ".shared." + s.result +
          " [%r31], " + d + ", " + stride(layout_d, s.m, s.n) + ";\n";
  body += "bar.warp.sync -1;\nmad.lo.u32 %r32, %r20, " + std::to_string(share) + ", %r31;\n";
  for (unsigned i = 0; i < share; i += 16)
    body += "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r32+" + std::to_string(i) +
            "];\nst.global.v4.u32 [%rd2+" + std::to_string(i) + "], {%r10, %r11, %r12, %r13};\n";
  return {mma, "wmma " + s.element + " " + s.result, share, module_of(body), false};
}

}  // namespace

std::vector<Case> wmma_cases() {
  std::vector<Case> out;
  const auto all_layouts = [&](const Kind& kind, bool saturate = false) {
    out.push_back(case_of(kind, "row", "col", true, saturate));
    out.push_back(case_of(kind, "row", "row", false, saturate));
    out.push_back(case_of(kind, "col", "col", false, saturate));
    out.push_back(case_of(kind, "col", "row", true, saturate));
  };
  struct Shape {
    unsigned m, n;
    int small_a, small_b, bf_a, bf_b;
  };
  for (const Shape& s :
       {Shape{16, 16, 2, 2, 4, 4}, Shape{32, 8, 4, 1, 8, 2}, Shape{8, 32, 1, 4, 2, 8}}) {
    all_layouts({"f16", "f32", s.m, s.n, 16, 8, 8, 8, 2, 4, "f32.f32"});
    all_layouts({"f16", "f16", s.m, s.n, 16, 8, 8, 4, 2, 2, "f16.f16"});
    all_layouts({"bf16", "f32", s.m, s.n, 16, s.bf_a, s.bf_b, 8, 2, 4, "f32.bf16.bf16.f32"});
    all_layouts({"s8", "s32", s.m, s.n, 16, s.small_a, s.small_b, 8, 1, 4, "s32.s8.s8.s32"});
    all_layouts({"u8", "s32", s.m, s.n, 16, s.small_a, s.small_b, 8, 1, 4, "s32.u8.u8.s32"}, true);
  }
  all_layouts({"tf32", "f32", 16, 16, 8, 4, 4, 8, 4, 4, "f32.tf32.tf32.f32"});
  all_layouts({"f64", "f64", 8, 8, 4, 1, 1, 2, 8, 8, "f64.f64.f64.f64"});
  return out;
}

}  // namespace kw::ptxvm::conformance
